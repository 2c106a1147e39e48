//! Graph as the facts of `rotation.md` tell it (F1 to F5), in memory; shares no code with the emulator or the client.

use std::sync::Arc;

use async_trait::async_trait;
use everkey::model::AppObserved;
use everkey::model::AppRef;
use everkey::model::AppSpec;
use everkey::model::CertificateEntry;
use everkey::model::ClientId;
use everkey::model::Grants;
use everkey::model::KeyId;
use everkey::model::ObjectId;
use everkey::model::Permission;
use everkey::model::PrincipalObserved;
use everkey::model::SecretEntry;
use everkey::model::TenantId;
use everkey::ports::AddedPassword;
use everkey::ports::Dated;
use everkey::ports::Directory;
use everkey::ports::PortError;
use everkey::ports::Refusal;
use everkey::ports::SignInActivity;
use everkey::secret::Secret;
use jiff::SignedDuration;
use jiff::Timestamp;

use crate::chooser::Point;
use crate::kinds::Kind;
use crate::world::App;
use crate::world::CLIENT;
use crate::world::Credential;
use crate::world::Late;
use crate::world::OBJECT;
use crate::world::Outside;
use crate::world::TENANT;
use crate::world::World;

/// The directory, as one process sees it.
pub struct Far(pub Arc<World>);

pub fn app_ref() -> AppRef {
    AppRef { tenant_id: TENANT.into(), object_id: OBJECT.into(), client_id: CLIENT.into() }
}

pub fn unsure() -> PortError {
    PortError::Unsure { place: "graph".into(), why: "the answer was lost".into(), request_id: None }
}

pub fn refusal(status: u16, code: &str) -> Refusal {
    Refusal { status, code: code.into(), message: code.into(), request_id: None }
}

/// How a call that was not applied fails.
fn failed(way: u32) -> PortError {
    match way {
        4 => PortError::Conflict(refusal(409, "Directory_ConcurrencyViolation")),
        5 => PortError::Throttled { retry_after: Some(SignedDuration::from_secs(20)), request_id: None },
        6 => PortError::Unreachable { place: "graph".into(), why: "no route".into() },
        _ => PortError::Denied(refusal(403, "Authorization_RequestDenied")),
    }
}

impl Outside {
    /// A write takes effect. The key id of what it made; `None` where it made nothing, an error where it is refused.
    pub fn land(&mut self, late: Late) -> Result<Option<String>, PortError> {
        match late {
            Late::AddPassword { name, start, end } => {
                if self.kind == Kind::Capped && self.app.secrets.len() >= 2 {
                    return Err(PortError::Refused(refusal(400, "Request_BadRequest")));
                }
                self.changing();
                let number = self.number();
                let (key_id, value) = (format!("s-{number}"), format!("sim~{number}"));
                let entry = SecretEntry {
                    key_id: KeyId(key_id.clone()),
                    display_name: Some(name),
                    hint: Some("sim".into()),
                    start,
                    end,
                };
                let name = entry.display_name.as_deref().unwrap_or_default();
                self.made(name, &key_id);
                self.landed(name, &key_id);
                self.app.secrets.push(entry);
                self.known(value, key_id.clone(), false, start, end);
                Ok(Some(key_id))
            }
            Late::RemovePassword(key_id) => {
                self.removed(&key_id);
                self.changing();
                self.app.secrets.retain(|entry| entry.key_id.0 != key_id);
                Ok(None)
            }
            Late::AddKey(entry) => {
                self.changing();
                Ok(Some(self.attach(*entry)))
            }
            Late::RemoveKey(key_id) => {
                self.changing();
                self.app.certificates.retain(|entry| entry.key_id.0 != key_id);
                Ok(None)
            }
            Late::Patch(body) => {
                self.changing();
                self.replace(body);
                Ok(None)
            }
            Late::Sink { place, value, generation, expects } => {
                self.write_sink(&place, &value, generation, expects);
                Ok(None)
            }
        }
    }

    /// A new credential: each front-end of the token endpoint learns of it some time later. Three sign-ins over a
    /// minute can only prove what all of them learn within a minute.
    fn known(&mut self, value: String, id: String, is_certificate: bool, start: Timestamp, end: Timestamp) {
        let lags = [(0, 0), (40, 40), (110, 110), (0, 50), (30, 85)];
        let (first, second) = lags[self.chooser.fault(Point::Lag, 5) as usize];
        let from = self.now.max(start);
        let known = [from + SignedDuration::from_secs(first), from + SignedDuration::from_secs(second)];
        self.credentials.insert(value, Credential { id, is_certificate, end, known });
    }

    fn attach(&mut self, entry: CertificateEntry) -> String {
        // Graph gives new ids. Nobody but everkey's repair gives back what somebody else removed: it is theirs all the same.
        let is_foreign = entry.key_id.0.starts_with("f-");
        if is_foreign {
            self.foreign.insert(entry.key_id.0.clone());
        }
        let known = self.statuses.contains_key(&entry.key_id.0) || is_foreign;
        let key_id = if known { entry.key_id.0.clone() } else { format!("c-{}", self.number()) };
        self.forgotten.came_back(&entry.key_id.0, &key_id);
        if let (Some(thumbprint), Some(key)) = (&entry.thumbprint, entry.key.as_deref().and_then(crate::tools::key_of))
        {
            let listed = self.app.certificates.iter().any(|one| one.thumbprint == entry.thumbprint);
            if !listed {
                self.known(key, thumbprint.0.clone(), true, entry.start, entry.end);
            }
        }
        self.app.certificates.push(CertificateEntry { key_id: KeyId(key_id.clone()), ..entry });
        key_id
    }

    fn replace(&mut self, body: Vec<CertificateEntry>) {
        let before = std::mem::take(&mut self.app.certificates);
        let is_kept = |entry: &CertificateEntry| {
            body.iter().any(|one| {
                one.key_id == entry.key_id || (one.thumbprint.is_some() && one.thumbprint == entry.thumbprint)
            })
        };
        let (kept, lost): (Vec<_>, Vec<_>) = before.into_iter().partition(is_kept);
        let left_out: Vec<String> = lost.into_iter().map(|entry| entry.key_id.0).collect();
        self.app.certificates = kept;
        self.replaced(&left_out);
        for entry in body {
            let there = self.app.certificates.iter().any(|one| {
                one.key_id == entry.key_id || (one.thumbprint.is_some() && one.thumbprint == entry.thumbprint)
            });
            if !there {
                self.attach(entry);
            }
        }
    }

    /// Others work on the application as well.
    pub fn meddle(&mut self) {
        match self.chooser.fault(Point::Foreign, 3) {
            1 => self.foreign_adds(),
            2 => {
                let Some(gone) = self.foreign.iter().find(|id| !self.adopted.contains(*id)).cloned() else { return };
                self.changing();
                self.foreign.remove(&gone);
                self.app.secrets.retain(|entry| entry.key_id.0 != gone);
                self.app.certificates.retain(|entry| entry.key_id.0 != gone);
                self.tell(|| format!("  somebody removes their own {gone}"));
            }
            _ => {}
        }
    }

    pub fn foreign_adds(&mut self) {
        if self.kind == Kind::Capped && self.app.secrets.len() >= 2 {
            return;
        }
        self.changing();
        let number = self.number();
        let (start, end) = (self.now, self.now + SignedDuration::from_hours(24 * 100));
        let key_id = format!("f-{number}");
        self.tell(|| format!("  somebody adds {key_id}"));
        self.foreign.insert(key_id.clone());
        if self.kind.is_certificate() {
            let thumbprint = format!("{number:F>40}");
            self.app.certificates.push(CertificateEntry {
                key_id: KeyId(key_id),
                display_name: Some("made by hand".into()),
                thumbprint: Some(thumbprint.as_str().into()),
                custom_key_identifier: Some(thumbprint),
                kind: "AsymmetricX509Cert".into(),
                usage: "Verify".into(),
                start,
                end,
                key: Some(b"foreign".to_vec()),
            });
        } else {
            // Somebody copies a name as they find it: it proves nothing.
            let is_forged = !number.is_multiple_of(2);
            let name = if is_forged { "copied [ek1 q7m2xa.1.9]" } else { "made by hand" };
            self.forged.extend(is_forged.then_some((1, 9)));
            let name = Some(name.to_owned());
            self.app.secrets.push(SecretEntry { key_id: KeyId(key_id), display_name: name, hint: None, start, end });
        }
    }
}

impl Far {
    /// Sends a write: its outcome is one of the four of F5, or a refusal.
    async fn send(&self, what: &str, late: Late) -> Result<Option<String>, PortError> {
        self.0.boundary(&format!("before {what}")).await;
        let answer = {
            let mut outside = self.0.lock();
            match &late {
                Late::AddPassword { .. } => outside.adding(),
                Late::RemovePassword(key_id) | Late::RemoveKey(key_id) => outside.removing(key_id),
                _ => {}
            }
            let way = outside.chooser.fault(Point::Write, 8);
            if let Late::AddPassword { name, .. } = &late
                && (1..=3).contains(&way)
            {
                outside.unanswered(name);
            }
            outside.tell(|| format!("{what}: {late:?}, way {way}"));
            match way {
                0 => outside.land(late),
                // A refusal is an answer: its fate is known.
                1 => outside.land(late).inspect_err(|_| drop(outside.unsure.pop())).and_then(|_| Err(unsure())),
                2 => {
                    let at = outside.landing(matches!(late, Late::Patch(_)));
                    outside.fly(at, late);
                    Err(unsure())
                }
                3 => Err(unsure()),
                way => Err(failed(way)),
            }
        };
        self.0.boundary(&format!("after {what}")).await;
        answer
    }

    async fn look(&self, what: &str) -> Result<(App, Timestamp), PortError> {
        self.0.boundary(&format!("before {what}")).await;
        let mut outside = self.0.lock();
        let way = outside.chooser.fault(Point::Read, 4);
        if way > 0 {
            outside.tell(|| format!("{what}: way {way}"));
        }
        match way {
            0 | 1 if !outside.exists => Err(PortError::Missing(refusal(404, "Request_ResourceNotFound"))),
            0 | 1 => Ok((outside.read(way == 1), outside.now)),
            2 => Err(unsure()),
            _ => Err(failed(5)),
        }
    }
}

#[async_trait]
impl Directory for Far {
    fn tenant(&self) -> TenantId {
        TENANT.into()
    }

    async fn create_application(&self, _unique_name: &str, _spec: &AppSpec) -> Result<AppRef, PortError> {
        self.0.lock().exists = true;
        Ok(app_ref())
    }

    async fn find_application(&self, _client_id: &ClientId) -> Result<Option<AppRef>, PortError> {
        Ok(self.0.lock().exists.then(app_ref))
    }

    async fn application(&self, app: &ObjectId) -> Result<Dated<AppObserved>, PortError> {
        let (shown, now) = self.look("read").await?;
        let audience =
            if self.0.lock().kind == Kind::Capped { "AzureADandPersonalMicrosoftAccount" } else { "AzureADMyOrg" };
        let mut certificates = shown.certificates;
        self.0.lock().looks_at(&certificates);
        for entry in &mut certificates {
            entry.key = None;
        }
        let value = AppObserved {
            object_id: app.clone(),
            client_id: CLIENT.into(),
            display_name: "Simulated".into(),
            audience: audience.into(),
            redirect_uris: Vec::new(),
            permissions: Vec::new(),
            secrets: shown.secrets,
            certificates,
        };
        Ok(Dated { value, date: Some(now) })
    }

    async fn update_application(&self, _observed: &AppObserved, _spec: &AppSpec) -> Result<(), PortError> {
        Ok(())
    }

    async fn principal(&self, _client_id: &ClientId) -> Result<Option<PrincipalObserved>, PortError> {
        let tags = vec!["HideApp".to_owned()];
        Ok(Some(PrincipalObserved { object_id: "sp".into(), enabled: true, tags, secrets: None, certificates: None }))
    }

    async fn create_principal(&self, _client_id: &ClientId) -> Result<PrincipalObserved, PortError> {
        let tags = vec!["HideApp".to_owned()];
        Ok(PrincipalObserved { object_id: "sp".into(), enabled: true, tags, secrets: None, certificates: None })
    }

    async fn set_principal_tags(&self, _principal: &ObjectId, _tags: &[String]) -> Result<(), PortError> {
        Ok(())
    }

    async fn grants(&self, _principal: &ObjectId) -> Result<Grants, PortError> {
        Ok(Grants::default())
    }

    async fn grant(
        &self,
        _principal: &ObjectId,
        _permissions: &[Permission],
        _present: &Grants,
    ) -> Result<(), PortError> {
        Ok(())
    }

    async fn add_password(
        &self,
        _app: &ObjectId,
        display_name: &str,
        start: Timestamp,
        end: Timestamp,
    ) -> Result<AddedPassword, PortError> {
        let made = self.send("addPassword", Late::AddPassword { name: display_name.to_owned(), start, end }).await?;
        let outside = self.0.lock();
        let entry = outside.app.secrets.iter().find(|entry| Some(&entry.key_id.0) == made.as_ref()).cloned();
        // Removed again before the answer arrived.
        let entry = entry.ok_or_else(unsure)?;
        let value = format!("sim~{}", entry.key_id.0.trim_start_matches("s-"));
        Ok(AddedPassword { entry, value: Secret::from_text(value) })
    }

    async fn remove_password(&self, _app: &ObjectId, key_id: &KeyId) -> Result<(), PortError> {
        self.send("removePassword", Late::RemovePassword(key_id.0.clone())).await.map(drop)
    }

    async fn key_credentials(&self, _app: &ObjectId) -> Result<Dated<Vec<CertificateEntry>>, PortError> {
        let (shown, now) = self.look("read key credentials").await?;
        Ok(Dated { value: shown.certificates, date: Some(now) })
    }

    async fn add_key(&self, _app: &ObjectId, entry: &CertificateEntry, proof: &Secret) -> Result<KeyId, PortError> {
        self.prove(proof)?;
        let made = self.send("addKey", Late::AddKey(Box::new(entry.clone()))).await?;
        Ok(KeyId(made.unwrap_or_default()))
    }

    async fn remove_key(&self, _app: &ObjectId, key_id: &KeyId, proof: &Secret) -> Result<(), PortError> {
        self.prove(proof)?;
        self.send("removeKey", Late::RemoveKey(key_id.0.clone())).await.map(drop)
    }

    async fn replace_keys(&self, _app: &ObjectId, entries: &[CertificateEntry]) -> Result<(), PortError> {
        self.send("PATCH keyCredentials", Late::Patch(entries.to_vec())).await.map(drop)
    }

    async fn sign_in_activities(&self) -> Result<Vec<SignInActivity>, PortError> {
        let outside = self.0.lock();
        if outside.kind != Kind::Report {
            return Err(PortError::Denied(refusal(403, "Authorization_RequestDenied")));
        }
        let line = |(id, (last, request_id)): (&String, &(Timestamp, Option<String>))| SignInActivity {
            key_id: KeyId(id.clone()),
            last: *last,
            request_id: request_id.clone(),
        };
        Ok(outside.uses.iter().filter(|(_, (last, _))| *last <= outside.now).map(line).collect())
    }
}

impl Far {
    /// A proof counts when the application has the certificate of its key.
    fn prove(&self, proof: &Secret) -> Result<(), PortError> {
        let outside = self.0.lock();
        let signer = proof.expose_text().and_then(|text| text.strip_prefix("proof:"));
        let known = signer
            .and_then(|key| outside.credentials.get(key))
            .is_some_and(|one| outside.lists(one) && one.end > outside.now);
        if known { Ok(()) } else { Err(PortError::Denied(refusal(401, "Authentication_MissingOrMalformed"))) }
    }
}
