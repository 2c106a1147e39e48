//! Beyond what everkey manages: credentials of others. One that appears is told to security once; those that end are
//! told to whoever answers for the application. Nothing here changes anything in Entra.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;

use crate::alert;
use crate::alert::Appeared;
use crate::alert::Situation;
use crate::alert::Watched;
use crate::model::ClientId;
use crate::model::Entry;
use crate::model::Holder;
use crate::model::HolderKind;
use crate::model::KeyId;
use crate::model::Listed;
use crate::model::NoticeIds;
use crate::model::TenantId;
use crate::model::Thumbprint;
use crate::plan::Observed;
use crate::plan::ObservedIntegration;
use crate::policy::Mode;
use crate::policy::Policy;
use crate::ports::Mark;
use crate::rotation::tag;
use crate::run::engine::Engine;
use crate::run::look::LOOK_EVERY;
use crate::run::setup::RunError;
use crate::run::setup::Tick;
use crate::run::stakes::Stakes;

/// The record of the first complete look at the tenant.
const FIRST_LOOK: &str = "look/tenant";

/// What is known of one holder: a credential whose identity is not in `known` has appeared.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
struct Sighting {
    since: Timestamp,
    known: BTreeSet<String>,
    /// What a PATCH of ours may still drop.
    #[serde(default, skip_serializing_if = "Stakes::is_empty")]
    at_stake: Stakes,
}

impl Sighting {
    fn new(since: Timestamp) -> Self {
        Self { since, known: BTreeSet::new(), at_stake: Stakes::new() }
    }
}

/// A holder, and the policy that speaks of it.
pub(super) struct Met<'a> {
    pub(super) holder: Holder,
    pub(super) policy: &'a Policy,
    tenant: TenantId,
    /// Never told about, only noted.
    silent: bool,
}

impl Engine {
    /// Looks at what others have on the applications of `policies`, and on all of the tenant where a policy watches
    /// it. Commits what appeared; returns what ends.
    pub(super) async fn look_around(
        &self,
        policies: &[Policy],
        observed: &Observed,
        tick: &mut Tick,
    ) -> Result<Vec<Watched>, RunError> {
        let tenant = self.ports.directory.tenant();
        let mut met: Vec<Met<'_>> = Vec::new();
        for policy in policies {
            if let Some(seen) = observed.integrations.get(&policy.name) {
                met.extend(managed(seen).into_iter().map(|holder| Met {
                    holder,
                    policy,
                    tenant: tenant.clone(),
                    silent: false,
                }));
            }
        }
        let mut complete = false;
        if let Some(policy) = policies.iter().find(|policy| policy.watch.is_some()) {
            match self.look_at_tenant().await {
                Ok(look) => {
                    complete = true;
                    tick.due(look.at.checked_add(LOOK_EVERY).ok());
                    self.add_tenant(policy, look.holders, &mut met).await?;
                }
                // The managed ones go on; the next tick tries again.
                Err(RunError::Said(error)) => self.set_aside(&policy.name, error, tick),
                Err(stop) => return Err(stop),
            }
        }
        let sightings = self.note_sightings(&met, complete, tick).await?;
        let ours = self.ours().await?;
        Ok(met.iter().flat_map(|one| self.ending(one, &sightings, &ours)).collect())
    }

    /// Adds what no other policy speaks of; what belongs to one that was not asked for stays its own business.
    async fn add_tenant<'a>(
        &self,
        policy: &'a Policy,
        holders: Vec<Holder>,
        met: &mut Vec<Met<'a>>,
    ) -> Result<(), RunError> {
        let there: BTreeSet<_> = met.iter().map(|one| one.holder.object_id.clone()).collect();
        let records = self.ports.store.integrations().await?;
        let except = policy.watch.as_ref().map(|watch| watch.except.as_slice()).unwrap_or_default();
        for holder in holders {
            let managed = records.iter().any(|record| record.app.client_id == holder.client_id);
            if !managed && !there.contains(&holder.object_id) {
                let silent = except.contains(&holder.client_id);
                met.push(Met { holder, policy, tenant: self.ports.directory.tenant(), silent });
            }
        }
        Ok(())
    }

    /// Compares with what was known, and commits the difference with its mails and history in one transaction.
    async fn note_sightings(
        &self,
        met: &[Met<'_>],
        complete: bool,
        tick: &mut Tick,
    ) -> Result<BTreeMap<String, Sighting>, RunError> {
        let store = &self.ports.store;
        let mut known: BTreeMap<String, Sighting> = BTreeMap::new();
        for mark in store.marks("seen/").await? {
            if let Some(sighting) = mark.body.as_deref().and_then(|body| serde_json::from_str(body).ok()) {
                known.insert(mark.name, sighting);
            }
        }
        let tenant_was_seen = !store.marks(FIRST_LOOK).await?.is_empty();
        let now = self.now();
        let mut commit = self.blank();
        let (mut found, mut lost) = (Vec::new(), Vec::new());
        for one in met {
            let name = format!("seen/{}/{}", one.holder.kind.word(), one.holder.object_id);
            let listed = one.holder.listed();
            let before = known.get(&name).cloned();
            // Whatever is there at the first sight is taken as it is. Once all of a tenant was seen, what has no
            // record had no credential then.
            let news = before.is_some() || (tenant_was_seen && one.policy.watch.is_some());
            let mut sighting = before.clone().unwrap_or_else(|| Sighting::new(now));
            let compared = self.stakes(one, &listed, before.as_ref().map(|before| &before.at_stake)).await?;
            tick.due(compared.again);
            sighting.at_stake = compared.at_stake;
            lost.extend(compared.gone.into_iter().map(|listed| told(one, listed)));
            for credential in listed {
                if sighting.known.insert(identity(&credential)) && news && !one.silent {
                    found.push((one, credential));
                }
            }
            if before.as_ref() != Some(&sighting) {
                commit.marks.push(Mark { name: name.clone(), body: serde_json::to_string(&sighting).ok() });
                known.insert(name, sighting);
            }
        }
        if complete && !tenant_was_seen {
            commit
                .marks
                .push(Mark { name: FIRST_LOOK.to_owned(), body: Some(serde_json::json!({"at": now}).to_string()) });
        }
        if !found.is_empty() {
            let ours = self.ours().await?;
            let mut appeared = Vec::new();
            for (one, credential) in found {
                if !ours.made(&credential) && !self.is_attempt(&credential).await? {
                    appeared.push(told(one, credential));
                }
            }
            commit.entries.extend(appeared.iter().map(|one| entry(one, "appeared", alert::sentence(one))));
            commit.notices = alert::appeared(&appeared, &self.options.alerts, now);
        }
        commit.entries.extend(lost.iter().map(|one| entry(one, "foreign", alert::vanished_sentence(one))));
        commit.notices.extend(alert::vanished(&lost, &self.options.alerts, now));
        if !commit.marks.is_empty() {
            store.commit(self.fence, commit).await?;
        }
        Ok(known)
    }

    /// Whether its tag is one of an attempt in the journal: ours, though nobody knows its key id yet. A tag alone
    /// proves nothing: one that the journal does not know is told.
    pub(super) async fn is_attempt(&self, credential: &Listed) -> Result<bool, RunError> {
        let Some(tag) = credential.name.as_deref().and_then(tag::parse) else { return Ok(false) };
        if tag.instance != self.ports.store.instance() {
            return Ok(false);
        }
        let rotation = self.ports.store.rotation(tag.rotation).await?;
        Ok(rotation.is_some_and(|rotation| rotation.attempts.iter().any(|attempt| attempt.number == tag.attempt)))
    }

    pub(super) async fn ours(&self) -> Result<Ours, RunError> {
        let mut ours = Ours::default();
        for own in self.ports.store.credentials(None).await? {
            ours.thumbprints.extend(own.thumbprint);
            ours.key_ids.insert(own.key_id);
        }
        Ok(ours)
    }

    /// The credentials of others on `one` that people hear about before they end.
    fn ending(&self, one: &Met<'_>, sightings: &BTreeMap<String, Sighting>, ours: &Ours) -> Vec<Watched> {
        if one.policy.mode != Mode::Alert || one.silent {
            return Vec::new();
        }
        let now = self.now();
        let name = format!("seen/{}/{}", one.holder.kind.word(), one.holder.object_id);
        let since = sightings.get(&name).map_or(now, |sighting| sighting.since);
        let all = one.holder.listed();
        let alive = |kind| all.iter().any(|other| other.kind == kind && other.end > now);
        let counts = |listed: &&Listed| {
            let signs = one.holder.signing.is_none() || listed.thumbprint == one.holder.signing;
            let in_use = listed.kind != crate::model::ListedKind::Saml || signs;
            // What ended before anybody watched, or beside one that works, has stopped nothing that is known.
            let ended = listed.end <= now && (listed.end < since || alive(listed.kind));
            !ours.made(listed) && in_use && !ended
        };
        all.iter().filter(counts).map(|listed| watched(one, listed, now)).collect()
    }
}

/// Credentials that everkey made.
#[derive(Default)]
pub(super) struct Ours {
    key_ids: BTreeSet<KeyId>,
    thumbprints: BTreeSet<Thumbprint>,
}

impl Ours {
    pub(super) fn made(&self, listed: &Listed) -> bool {
        self.key_ids.contains(&listed.key_id)
            || listed.thumbprint.as_ref().is_some_and(|thumbprint| self.thumbprints.contains(thumbprint))
    }
}

/// A certificate is its thumbprint: Graph may list it under another id than the one it first gave.
pub(super) fn identity(listed: &Listed) -> String {
    listed.thumbprint.as_ref().map_or_else(|| listed.key_id.to_string(), |thumbprint| format!("cert:{thumbprint}"))
}

/// The application and service principal that a look at an integration showed.
fn managed(seen: &ObservedIntegration) -> Vec<Holder> {
    let Some(app) = &seen.app else { return Vec::new() };
    let holder = |kind, object_id, secrets, certificates| Holder {
        kind,
        object_id,
        client_id: app.client_id.clone(),
        display_name: app.display_name.clone(),
        created: None,
        is_managed_identity: false,
        owners: None,
        signing: None,
        secrets,
        certificates,
    };
    let mut holders =
        vec![holder(HolderKind::Application, app.object_id.clone(), app.secrets.clone(), app.certificates.clone())];
    if let Some(principal) = &seen.principal
        && let (Some(secrets), Some(certificates)) = (&principal.secrets, &principal.certificates)
    {
        let (secrets, certificates) = (secrets.clone(), certificates.clone());
        holders.push(holder(HolderKind::Principal, principal.object_id.clone(), secrets, certificates));
    }
    holders
}

fn ids(one: &Met<'_>, listed: &Listed) -> NoticeIds {
    NoticeIds {
        tenant_id: one.tenant.clone(),
        client_id: one.holder.client_id.clone(),
        object_id: one.holder.object_id.clone(),
        key_id: Some(listed.key_id.clone()),
        run: None,
    }
}

fn entry(one: &Appeared, kind: &str, text: String) -> Entry {
    let integration = Some(one.integration.clone());
    Entry { integration, rotation: None, kind: kind.to_owned(), text, body: serde_json::Value::Null }
}

fn told(one: &Met<'_>, listed: Listed) -> Appeared {
    Appeared {
        integration: one.policy.name.clone(),
        title: one.holder.display_name.clone(),
        place: one.holder.kind.word(),
        ids: ids(one, &listed),
        owner: one.policy.people.owner.clone(),
        timezone: one.policy.calendar.timezone.clone(),
        identity: identity(&listed),
        listed,
    }
}

fn watched(one: &Met<'_>, listed: &Listed, now: Timestamp) -> Watched {
    let (policy, holder) = (one.policy, &one.holder);
    let mut people = policy.people.clone();
    // The policy of the whole tenant names who stands in; the owner is whom Entra names.
    if policy.watch.is_some()
        && let Some(mail) = holder.owner_mail()
    {
        mail.clone_into(&mut people.owner);
    }
    let impact = match (policy.watch.is_some(), policy.impact.is_empty()) {
        (false, false) => policy.impact.clone(),
        (true, false) => format!("{}: {}", holder.display_name, policy.impact),
        (_, true) => format!("Whatever signs in as {} stops working.", holder.display_name),
    };
    Watched {
        integration: policy.name.clone(),
        title: if policy.watch.is_some() { holder.display_name.clone() } else { policy.title.clone() },
        impact,
        slot: listed.key_id.as_str().into(),
        word: listed.kind.label().to_owned(),
        people,
        calendar: policy.calendar.clone(),
        ids: ids(one, listed),
        needs_person: true,
        times_a_year: 0,
        ends: Some(listed.end),
        new_until: None,
        situation: if listed.end <= now { Situation::Expired } else { Situation::Healthy },
        thread: format!("{}.{}", holder.object_id, listed.key_id),
        adopt: Some(adoptable(policy, &holder.client_id)),
    }
}

/// What `everkey adopt` takes for it; a policy of its own needs no adoption, only `deliver`.
fn adoptable(policy: &Policy, client_id: &ClientId) -> String {
    if policy.watch.is_some() {
        format!("everkey adopt {client_id}")
    } else {
        format!("everkey enable {}", policy.name)
    }
}
