//! A plan that `plan --out` saved: read, and refused when it is another tenant's, old, or overtaken.

use std::path::Path;

use serde_json::Value;
use serde_json::json;

use super::context::Context;
use super::plan::digest;
use crate::error::Class;
use crate::error::Error;
use crate::model::IntegrationName;
use crate::plan::Plan;
use crate::plan::explain;
use crate::policy::Policy;

/// A saved plan, if it may still be applied.
pub fn read(path: &Path, context: &Context, policies: &[Policy]) -> Result<Plan, Error> {
    let refuse = |code: &str, what: String| {
        Error::new(Class::Failed, code, what).help("make a new one: everkey plan --out FILE")
    };
    let text = crate::config::read_file(path)?;
    let document: Value = serde_json::from_str(&text).map_err(|error| {
        Error::new(Class::Data, "R004", format!("{} is not a plan", path.display()))
            .why(error)
            .help("make one: everkey plan --out FILE")
    })?;
    let plan: Plan = serde_json::from_value(document["plan"].clone()).map_err(|error| {
        Error::new(Class::Data, "R004", format!("{} is not a plan", path.display()))
            .why(error)
            .help("make one: everkey plan --out FILE")
    })?;
    if document["tenant_id"] != json!(context.settings.tenant.tenant_id) {
        return Err(refuse("R005", format!("this plan was made for another tenant ({})", plan.tenant)));
    }
    let age = context.assembled.ports.clock.now().duration_since(plan.made_at);
    if age > explain::PLAN_LIFETIME {
        return Err(refuse("R006", format!("this plan is {} hours old; a plan lives 24", age.as_hours())));
    }
    if document["policy_digest"] != json!(format!("sha256:{}", digest(policies))) {
        return Err(refuse("R007", "the policies have changed since this plan was made".to_owned()));
    }
    Ok(plan)
}

/// Refuses when the tenant has moved since `saved` was made, naming the first difference.
pub fn same(saved: &Plan, fresh: &Plan) -> Result<(), Error> {
    let shape = |plan: &Plan| -> Vec<(IntegrationName, Vec<String>)> {
        plan.changes
            .iter()
            .map(|change| {
                let steps = change.steps.iter().map(|step| {
                    let mut value = serde_json::to_value(step).unwrap_or_default();
                    if let Some(object) = value.as_object_mut() {
                        object.remove("not_after");
                        object.remove("retire_not_before");
                    }
                    value.to_string()
                });
                (change.integration.clone(), steps.collect())
            })
            .collect()
    };
    let (before, now) = (shape(saved), shape(fresh));
    if before == now {
        return Ok(());
    }
    let moved = before
        .iter()
        .chain(&now)
        .find(|change| !(before.contains(change) && now.contains(change)))
        .map_or_else(String::new, |(name, _)| name.to_string());
    Err(Error::new(Class::Failed, "R008", "the tenant has changed since this plan was made")
        .why(format!("first difference: {moved}"))
        .help("run plan again: everkey plan --out FILE"))
}
