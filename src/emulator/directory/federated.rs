//! Federated identity credentials of an application: which tokens of another issuer sign it in
//! (entra-contract 1.3).

use jiff::SignedDuration;
use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::Directory;
use super::Properties;
use super::Refusal;

/// At most this many for one application.
const MOST: usize = 20;
/// Longest name.
const NAME_MAX: usize = 120;
/// Longest issuer, subject, audience and description.
const TEXT_MAX: usize = 600;

/// A federated identity credential.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FederatedCredential {
    /// When it came into being; the token endpoint sees it later (`token_lag`).
    pub added: Timestamp,
    /// The audiences that its tokens may have.
    pub audiences: Vec<String>,
    /// For people.
    pub description: Option<String>,
    /// Its id.
    pub id: Uuid,
    /// The issuer of its tokens, compared exactly.
    pub issuer: String,
    /// Its name, unique on the application, set once.
    pub name: String,
    /// The subject of its tokens, compared exactly.
    pub subject: String,
}

/// Which part of a token fits no federated credential of the application.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Mismatch {
    /// There is none at all.
    Nothing,
    /// No one has its issuer.
    Issuer,
    /// The issuer fits, the subject does not.
    Subject,
    /// Issuer and subject fit, the audience does not.
    Audience,
}

impl Directory {
    /// The federated credentials of an application; `None` when it is not there.
    pub fn federated(&self, application: Uuid) -> Option<&[FederatedCredential]> {
        self.application(application).map(|application| application.federated.as_slice())
    }

    /// Adds one from what a client wrote.
    pub fn add_federated(
        &mut self,
        application: Uuid,
        written: &Properties,
        now: Timestamp,
    ) -> Result<FederatedCredential, Refusal> {
        let there = self.federated(application).ok_or_else(|| Refusal::no_object(application))?;
        if there.len() >= MOST {
            return Err(Refusal::invalid(format!("An application can have {MOST} federated identity credentials.")));
        }
        let mut made = FederatedCredential {
            added: now,
            audiences: Vec::new(),
            description: None,
            id: Uuid::nil(),
            issuer: String::new(),
            name: String::new(),
            subject: String::new(),
        };
        write(&mut made, written)?;
        for (name, value) in [("name", &made.name), ("issuer", &made.issuer), ("subject", &made.subject)] {
            if value.is_empty() {
                return Err(Refusal::invalid(format!("Property '{name}' is required.")));
            }
        }
        if made.audiences.is_empty() {
            return Err(Refusal::invalid("Property 'audiences' is required."));
        }
        unique(there, &made)?;
        made.id = self.entropy.uuid();
        self.federated_mut(application)?.push(made.clone());
        Ok(made)
    }

    /// Changes one by what a client wrote; its name stays.
    pub fn update_federated(&mut self, application: Uuid, id: Uuid, written: &Properties) -> Result<(), Refusal> {
        let there = self.federated(application).ok_or_else(|| Refusal::no_object(application))?;
        let mut changed = there.iter().find(|one| one.id == id).ok_or_else(|| Refusal::no_object(id))?.clone();
        let name = changed.name.clone();
        write(&mut changed, written)?;
        if changed.name != name {
            return Err(Refusal::invalid("Property 'name' is read-only once it is set."));
        }
        unique(there, &changed)?;
        self.federated_mut(application)?.iter_mut().filter(|one| one.id == id).for_each(|one| *one = changed.clone());
        Ok(())
    }

    /// Removes one.
    pub fn remove_federated(&mut self, application: Uuid, id: Uuid) -> Result<(), Refusal> {
        let all = self.federated_mut(application)?;
        let position = all.iter().position(|one| one.id == id).ok_or_else(|| Refusal::no_object(id))?;
        all.remove(position);
        Ok(())
    }

    /// The federated credential that a token's issuer, subject and audience fit; those younger than `lag` are not
    /// seen yet. Case matters everywhere.
    pub fn judge_federated(
        &self,
        app_id: Uuid,
        (issuer, subject, audience): (&str, &str, &str),
        lag: SignedDuration,
        now: Timestamp,
    ) -> Result<&FederatedCredential, Mismatch> {
        let all = self.application_by_app_id(app_id).map(|application| application.federated.as_slice());
        let seen = all.unwrap_or_default().iter().filter(|one| now.duration_since(one.added) >= lag);
        let mut closest = Mismatch::Nothing;
        for one in seen {
            let found = match (one.issuer == issuer, one.subject == subject) {
                (true, true) if one.audiences.iter().any(|wanted| wanted == audience) => return Ok(one),
                (true, true) => Mismatch::Audience,
                (true, false) => Mismatch::Subject,
                (false, _) => Mismatch::Issuer,
            };
            closest = closest.max(found);
        }
        Err(closest)
    }

    fn federated_mut(&mut self, application: Uuid) -> Result<&mut Vec<FederatedCredential>, Refusal> {
        let found = self.applications.get_mut(&application).filter(|one| one.deleted.is_none());
        found.map(|one| &mut one.federated).ok_or_else(|| Refusal::no_object(application))
    }
}

fn write(into: &mut FederatedCredential, written: &Properties) -> Result<(), Refusal> {
    for (name, value) in written {
        let bad = || Refusal::invalid(format!("Invalid value specified for property '{name}'."));
        let text = |most: usize| {
            let text = value.as_str().filter(|text| !text.is_empty() && text.chars().count() <= most);
            text.map(str::to_owned).ok_or_else(bad)
        };
        match name.as_str() {
            "name" => {
                into.name = text(NAME_MAX).and_then(|name| if is_segment(&name) { Ok(name) } else { Err(bad()) })?
            }
            "issuer" => into.issuer = text(TEXT_MAX)?,
            "subject" => into.subject = text(TEXT_MAX)?,
            "description" if value.is_null() => into.description = None,
            "description" => into.description = Some(text(TEXT_MAX)?),
            // One is the documented limit.
            "audiences" => match value.as_array().map(Vec::as_slice) {
                Some([Value::String(one)]) if !one.is_empty() && one.len() <= TEXT_MAX => {
                    into.audiences = vec![one.clone()];
                }
                _ => return Err(bad()),
            },
            name if name == "id" || name.starts_with('@') => {}
            _ => {
                return Err(Refusal::invalid(format!(
                    "Invalid property '{name}' was found on entity 'FederatedIdentityCredential'."
                )));
            }
        }
    }
    Ok(())
}

/// Names stand in addresses as they are.
fn is_segment(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

/// Neither the name nor the pair of issuer and subject may repeat.
fn unique(there: &[FederatedCredential], one: &FederatedCredential) -> Result<(), Refusal> {
    let others = || there.iter().filter(|other| other.id != one.id);
    if others().any(|other| other.name == one.name) {
        return Err(Refusal::Duplicate { property: "name" });
    }
    if others().any(|other| other.issuer == one.issuer && other.subject == one.subject) {
        return Err(Refusal::Duplicate { property: "issuer and subject" });
    }
    Ok(())
}
