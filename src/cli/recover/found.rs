//! What is left of a lost store in the tenant: what carries its tags on the applications of the policies.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::Value;
use serde_json::json;

use crate::cli::context::Context;
use crate::cli::guard;
use crate::cli::output::Output;
use crate::cli::output::clean;
use crate::cli::output::count;
use crate::error::Error;
use crate::model::Adoption;
use crate::model::AppRef;
use crate::model::HolderKind;
use crate::model::IntegrationName;
use crate::model::KeyId;
use crate::model::Listed;
use crate::plan::unique_name;
use crate::policy::Policy;
use crate::ports::PortError;
use crate::rotation::tag;
use crate::rotation::tag::Tag;
use crate::run::explain;

/// What is left of the lost store on one application.
pub struct Remains {
    /// Its policy.
    pub policy: Policy,
    /// The application.
    pub app: AppRef,
    display_name: String,
    /// What carries the tag of another store, and was not adopted yet.
    pub tagged: Vec<(Listed, Tag)>,
    /// Credentials of others, which nobody touches.
    pub others: usize,
    /// An earlier run adopted some already.
    pub is_begun: bool,
}

/// What carries the tag of another store, and the integrations whose application cannot be told.
pub async fn gather(context: &Context, policies: &[Policy]) -> Result<(Vec<Remains>, Vec<IntegrationName>), Error> {
    let ports = &context.assembled.ports;
    let failed = |error: PortError| explain::explain(&error, "look for what the lost store made");
    let own = ports.store.instance();
    let records = ports.store.integrations().await.map_err(|error| explain::store(&error))?;
    let every = ports.directory.applications().await.map_err(failed)?;
    let mut instances = BTreeSet::new();
    for app in &every {
        instances.extend(guard::tags(app).map(|(_, tag)| tag.instance).filter(|instance| *instance != own));
    }
    let (mut all, mut unclear) = (Vec::new(), Vec::new());
    for policy in policies {
        let record = records.iter().find(|record| record.name == policy.name);
        let mut found: Vec<AppRef> = Vec::new();
        if let Some(record) = record {
            found.push(record.app.clone());
        } else if let Some(client_id) = &policy.app.client_id {
            found.extend(ports.directory.find_application(client_id).await.map_err(failed)?);
        } else {
            // As the lost store named what it made.
            for instance in &instances {
                let name = unique_name(instance, policy);
                found.extend(ports.directory.named_application(&name).await.map_err(failed)?);
            }
        }
        match found.as_slice() {
            [] => {}
            [app] => all.extend(remains(context, policy, app, &own).await?),
            _ => unclear.push(policy.name.clone()),
        }
    }
    Ok((all, unclear))
}

async fn remains(context: &Context, policy: &Policy, app: &AppRef, own: &str) -> Result<Option<Remains>, Error> {
    let ports = &context.assembled.ports;
    let failed = |error: PortError| explain::explain(&error, "look for what the lost store made");
    let holder = ports.directory.holder(HolderKind::Application, &app.object_id).await.map_err(failed)?;
    let Some(holder) = holder else { return Ok(None) };
    let adopted =
        ports.store.marks(&Adoption::records(&app.object_id)).await.map_err(|error| explain::store(&error))?;
    let is_adopted = |key_id: &KeyId| {
        let record = Adoption::record(&app.object_id, key_id);
        adopted.iter().any(|mark| mark.name == record)
    };
    let listed = holder.listed();
    let tagged: Vec<(Listed, Tag)> = listed
        .iter()
        .filter_map(|one| Some((one.clone(), tag::parse(one.name.as_deref()?)?)))
        .filter(|(one, tag)| tag.instance != own && !is_adopted(&one.key_id))
        .collect();
    let is_begun = listed.iter().any(|one| {
        let tag = one.name.as_deref().and_then(tag::parse);
        tag.is_some_and(|tag| tag.instance != own) && is_adopted(&one.key_id)
    });
    let others = listed.len() - tagged.len();
    let (policy, app, display_name) = (policy.clone(), app.clone(), holder.display_name.clone());
    Ok(Some(Remains { policy, app, display_name, tagged, others, is_begun }))
}

/// When each was last used, as far as Entra's report tells; empty where it does not.
pub async fn last_used(context: &Context) -> BTreeMap<KeyId, Timestamp> {
    let read = context.assembled.ports.directory.sign_in_activities().await;
    read.map(|all| all.into_iter().map(|one| (one.key_id, one.last)).collect()).unwrap_or_default()
}

/// For people.
pub fn list(all: &[Remains], used: &BTreeMap<KeyId, Timestamp>, now: Timestamp) -> String {
    let mut text = String::from("Made by a store that is not this one:\n");
    for one in all {
        text += &format!("\n{}   {:?}, client id {}\n", one.policy.name, clean(&one.display_name), one.app.client_id);
        for (listed, tag) in &one.tagged {
            let left = listed.end.duration_since(now).as_hours() / 24;
            let ends = if listed.end <= now { "ENDED".to_owned() } else { format!("{left} d left") };
            let seen = match used.get(&listed.key_id) {
                Some(at) => format!("last used {}", at.strftime("%Y-%m-%d")),
                None => "last use unknown".to_owned(),
            };
            text += &format!(
                "  {:<11}  {}  {} {}.{}  to {} ({ends})  {seen}\n",
                listed.kind.label(),
                listed.key_id,
                tag.instance,
                tag.rotation,
                tag.attempt,
                listed.end.strftime("%Y-%m-%d")
            );
        }
        if one.others > 0 {
            text +=
                &format!("  and {} of others, which nobody touches\n", count(one.others, "credential", "credentials"));
        }
    }
    text += "\nTheir values are gone with the store; where they were delivered they work on. Recovered, they are adopted by you, a \
             new\ncredential is made, proven and delivered beside them, and they leave by their own rules.\nOnly if no other \
             everkey works with them any more.\n";
    text
}

/// Says which applications cannot be told for certain.
pub fn tell_unclear(unclear: &[IntegrationName], out: &Output) {
    for name in unclear {
        out.print(&format!(
            "note: more than one application may be that of {name} (R090): write app_id into its policy\n"
        ));
    }
}

/// For programs.
pub fn document(
    context: &Context,
    lost: &[String],
    all: &[Remains],
    unclear: &[IntegrationName],
    used: &BTreeMap<KeyId, Timestamp>,
) -> Value {
    let credential = |(listed, tag): &(Listed, Tag)| {
        json!({
            "key_id": listed.key_id, "kind": listed.kind.word(), "store": tag.instance, "rotation": tag.rotation, "attempt": tag.attempt,
            "not_before": listed.start, "not_after": listed.end, "last_used": used.get(&listed.key_id),
        })
    };
    let found = |one: &Remains| {
        json!({
            "integration": one.policy.name, "application": one.display_name, "client_id": one.app.client_id,
            "credentials": one.tagged.iter().map(credential).collect::<Vec<_>>(), "others": one.others,
        })
    };
    json!({
        "schema": "everkey.recover-list/v1", "tenant": context.settings.tenant_name, "lost": lost,
        "store": context.assembled.ports.store.instance(), "unclear": unclear,
        "found": all.iter().map(found).collect::<Vec<_>>(),
    })
}
