//! What is simulated: the user's policies as they would stand, with everything outside replaced, each replacement said.

use std::path::PathBuf;

use jiff::SignedDuration;
use jiff::Timestamp;
use jiff::civil::Date;

use crate::alert;
use crate::config;
use crate::config::Settings;
use crate::error::Class;
use crate::error::Error;
use crate::error::Result;
use crate::model::Consent;
use crate::model::CredentialKind;
use crate::model::IntegrationName;
use crate::model::IssuerKind;
use crate::model::SinkTarget;
use crate::policy;
use crate::policy::Mode;
use crate::policy::Policy;
use crate::policy::Severity;
use crate::run::Limits;

use super::STAGGER;
use super::SimulateOptions;

/// Minutes between the beginnings of copies on one day.
const BETWEEN: SignedDuration = SignedDuration::from_mins(1);

/// A policy, and when it begins.
#[derive(Clone, Debug)]
pub(super) struct Joining {
    pub at: Timestamp,
    pub policy: Policy,
}

/// Everything that a simulation is about.
pub struct Subject {
    pub(super) alerts: alert::Rules,
    pub(super) limits: Limits,
    /// What is not as it would be, a sentence each.
    pub(super) notes: Vec<String>,
    pub(super) originals: Vec<Policy>,
    pub(super) policies: Vec<Joining>,
    pub(super) tenant: String,
}

impl Subject {
    /// The policies of an installation, or of a directory alone.
    ///
    /// # Errors
    /// `C012` while any policy is invalid, `F010` for what cannot be read.
    pub fn of(settings: &Settings) -> Result<Self> {
        Ok(Self::new(settings, settings.policies()?))
    }

    /// The five shipped guides.
    ///
    /// # Errors
    /// None that a user could cause.
    pub fn guides(settings: &Settings) -> Result<Self> {
        let files: Vec<(PathBuf, String)> = crate::world::stage::POLICIES
            .iter()
            .map(|(name, text)| (PathBuf::from(name), (*text).to_owned()))
            .collect();
        let read = policy::read_policies(&files, &settings.tool);
        if let Some(wrong) = read.diagnostics.iter().find(|found| found.severity == Severity::Error) {
            return Err(Error::new(Class::Failed, "D022", "a shipped guide is not valid").why(&wrong.summary));
        }
        let mut subject = Self::new(settings, read.value);
        subject
            .notes
            .insert(0, "no policies were named: these are the five shipped guides (-p DIR takes yours)".into());
        Ok(subject)
    }

    fn new(settings: &Settings, policies: Vec<Policy>) -> Self {
        let defaults = &settings.tool.defaults;
        let mut notes = Vec::new();
        let mut originals = Vec::new();
        for mut policy in policies {
            if policy.watch.is_some() || policy.credentials.is_empty() {
                notes.push(format!("{}: left out, it has no [[credential]] to renew", policy.name));
                continue;
            }
            stand_in(&mut policy, &mut notes);
            originals.push(policy);
        }
        Self {
            alerts: alert::Rules { public_url: None, ..settings.alert_rules() },
            limits: Limits { jitter: defaults.jitter, new_per_day: defaults.max_new_rotations_per_day },
            notes,
            originals,
            policies: Vec::new(),
            tenant: settings.tenant_name.clone(),
        }
    }

    /// As many as `--apps` says, each with its beginning.
    pub(super) fn copied(mut self, options: &SimulateOptions) -> Self {
        let count = options.apps.unwrap_or(self.originals.len());
        // All of them begin, and live for a while, within the period.
        let stagger = STAGGER.min(options.until.duration_since(options.from) / 2);
        if self.originals.is_empty() {
            return self;
        }
        if options.apps.is_some() {
            self.notes.push(format!(
                "{count} integrations are copies of {}, beginning over {} days",
                self.originals.len(),
                stagger.as_hours() / 24
            ));
        }
        for number in 0..count {
            let Some(original) = self.originals.get(number % self.originals.len()) else { continue };
            if options.apps.is_none() {
                self.policies.push(Joining { at: options.from, policy: original.clone() });
                continue;
            }
            let days = stagger.as_hours() / 24 * i64::try_from(number).unwrap_or(0) / i64::try_from(count).unwrap_or(1);
            let minutes = BETWEEN * i32::try_from(number % 60).unwrap_or(0);
            let at = options.from + SignedDuration::from_hours(24 * days) + minutes;
            self.policies.push(Joining { at, policy: copy(original, number / self.originals.len() + 1) });
        }
        match &options.limits {
            Some(limits) => self.notes.extend(limits.notes(&self.originals)),
            None => self.notes.push(
                "the tenant's app management policies are not known here: everkey plan reads them, --max-secret-lifetime \
                 and --max-certificate-lifetime name them"
                    .to_owned(),
            ),
        }
        self.calendar_notes(options);
        self
    }

    /// A freeze has dates; the years after it have none unless somebody writes them down.
    fn calendar_notes(&mut self, options: &SimulateOptions) {
        let last = self.originals.iter().flat_map(|policy| &policy.calendar.freeze).map(|(_, to)| *to).max();
        let end: Option<Date> =
            self.originals.first().map(|policy| options.until.to_zoned(policy.calendar.zone()).date());
        if let (Some(last), Some(end)) = (last, end)
            && last.saturating_add(jiff::Span::new().years(1)) < end
        {
            self.notes.push(format!("no freeze is written down after {last}: add those of later years"));
        }
    }
}

/// Replaces what a simulation must not touch.
fn stand_in(policy: &mut Policy, notes: &mut Vec<String>) {
    let name = policy.name.clone();
    if policy.mode != Mode::Rotate {
        policy.mode = Mode::Rotate;
        notes.push(format!("{name}: shown as after `everkey enable {name}`; today everkey only tells people"));
    }
    if policy.app.client_id.is_some() {
        notes
            .push(format!("{name}: its application is stood in for by a new one; what it has today is not known here"));
    }
    if policy.app.consent == Consent::Link {
        notes.push(format!("{name}: consent is taken as given on the first day"));
    }
    if policy.app.consent != Consent::None {
        policy.app.consent = Consent::Grant;
    }
    for credential in &mut policy.credentials {
        let slot = format!("{name}/{}", credential.slot);
        if let CredentialKind::Certificate(spec) = &credential.kind {
            match &spec.issuer {
                IssuerKind::SelfSigned | IssuerKind::Csr => {}
                IssuerKind::Ca(ca) => notes.push(format!("{slot}: the CA {ca} is stood in for, its key is not read")),
                IssuerKind::Command(_) => {
                    notes.push(format!("{slot}: the issuer's command is not run, a CA stands in"))
                }
                IssuerKind::VaultPki(_) => notes.push(format!("{slot}: Vault's PKI is not asked, a CA stands in")),
            }
        }
        for sink in &mut credential.sinks {
            let (word, place) = sink.target.described();
            let after = match &mut sink.target {
                SinkTarget::Files(files) => std::mem::take(&mut files.after),
                SinkTarget::JsonFile(file) => std::mem::take(&mut file.after),
                SinkTarget::Handoff(_) => continue,
                SinkTarget::AzureKeyVault(_) | SinkTarget::HashicorpVault(_) | SinkTarget::Kubernetes(_) => {
                    notes.push(format!("{slot}: {word} {place} is not reached, a store in memory stands in"));
                    continue;
                }
            };
            if !after.is_empty() {
                notes.push(format!("{slot}: `{}` is not run", after.join(" ")));
            }
        }
    }
}

/// The copy number `number` of a policy, with a name, an application and places of its own.
fn copy(original: &Policy, number: usize) -> Policy {
    let mut policy = original.clone();
    policy.name = IntegrationName::from(format!("{}-{number:03}", original.name));
    policy.title = format!("{} {number:03}", original.title);
    policy.app.display_name = format!("{} {number:03}", original.app.display_name);
    policy.app.client_id = None;
    policy.shared = false;
    for sink in policy.credentials.iter_mut().flat_map(|credential| &mut credential.sinks) {
        match &mut sink.target {
            SinkTarget::Files(files) => files.directory = format!("/{number:03}/{}", files.directory),
            SinkTarget::JsonFile(file) => file.path = format!("/{number:03}/{}", file.path),
            SinkTarget::AzureKeyVault(spec) => spec.name = format!("{}-{number:03}", spec.name),
            SinkTarget::HashicorpVault(spec) => spec.path = format!("{}-{number:03}", spec.path),
            SinkTarget::Kubernetes(spec) => spec.name = format!("{}-{number:03}", spec.name),
            SinkTarget::Handoff(_) => {}
        }
    }
    policy
}

/// Names that everkey may grant: what the policies ask for.
pub(super) fn permissions(policies: &[Joining]) -> Vec<String> {
    policies
        .iter()
        .flat_map(|one| one.policy.app.permissions.iter().map(|permission| permission.name.clone()))
        .collect()
}

/// The settings where there is no configuration: the defaults, over the policies of a directory.
///
/// # Errors
/// As [`config::default_tool`].
pub fn bare(policies_dir: PathBuf) -> Result<Settings> {
    let tool = config::default_tool()?;
    let tenant_name = tool.defaults.tenant.clone().unwrap_or_default();
    let tenant = tool.tenants.get(&tenant_name).cloned();
    let tenant = tenant.ok_or_else(|| Error::new(Class::Failed, "D022", "the built-in defaults have no tenant"))?;
    Ok(Settings { tool, policies_dir, tenant_name, tenant })
}
