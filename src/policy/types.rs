//! A policy as the rest of the house sees it: valid, with every default filled in.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use serde::Serialize;

use crate::model::AppSpec;
use crate::model::Calendar;
use crate::model::CredentialSpec;
use crate::model::IntegrationName;
use crate::model::People;

/// How much everkey does for an integration.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Looks and tells people in time.
    Alert,
    /// Renews.
    Rotate,
    /// Only looks.
    Watch,
}

/// How the app is limited to mailboxes.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MailboxMethod {
    /// `New-ApplicationAccessPolicy`: the tenant-wide Entra grant stays and is cut down.
    AccessPolicy,
    /// RBAC for Applications: no Entra grant of the same permission, because the two add up.
    Rbac,
}

/// The mailboxes an app may reach; everkey writes the Exchange script, a person runs it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Mailboxes {
    /// Addresses of the mailboxes; never empty.
    pub allow: Vec<String>,
    /// Method.
    pub method: MailboxMethod,
    /// `rbac`: Graph application permissions assigned there; never empty then.
    pub permissions: Vec<String>,
    /// Mail-enabled security group the mailboxes belong to.
    pub group: String,
    /// The script makes missing mailboxes as shared ones.
    pub create: bool,
    /// Users who get Full Access and Send As.
    pub delegates: Vec<String>,
    /// A mailbox that must be denied: the script's test.
    pub denied: Option<String>,
}

/// What a policy watches beside the applications that have one of their own.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Watch {
    /// Client ids that nobody is told about.
    pub except: Vec<crate::model::ClientId>,
}

/// One integration.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Policy {
    /// Name; the stem of its file.
    pub name: IntegrationName,
    /// Name for people.
    pub title: String,
    /// What stops, a sentence; empty only where `mode` is not `rotate`.
    pub impact: String,
    /// How much everkey does.
    pub mode: Mode,
    /// Tenant, a name of `everkey.toml`.
    pub tenant: String,
    /// Free labels.
    pub tags: BTreeMap<String, String>,
    /// It watches the tenant; then `app` is empty and there is no credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watch: Option<Watch>,
    /// The app registration.
    pub app: AppSpec,
    /// Another policy names the same app.
    pub shared: bool,
    /// This policy describes the app registration; false only for the other policies on a shared app,
    /// whose `app` holds nothing but its id.
    pub owns_app: bool,
    /// Mailboxes the app is limited to.
    pub mailboxes: Option<Mailboxes>,
    /// Its credentials; never empty where `mode` is `rotate`.
    pub credentials: Vec<CredentialSpec>,
    /// Who is told.
    pub people: People,
    /// When rotations may start.
    pub calendar: Calendar,
    /// The file it was read from.
    pub file: PathBuf,
    /// SHA-256 of the file, lower-case hex.
    pub digest: String,
}

/// What was read, and every problem found on the way.
#[derive(Clone, Debug)]
pub struct Read<T> {
    /// What is valid; problems of one file never hide another.
    pub value: T,
    /// Every problem, in the order of files and lines.
    pub diagnostics: Vec<super::Diagnostic>,
}
