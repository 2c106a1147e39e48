//! The whole tenant, page by page, and what changed since a delta link (`entra-contract.md` 2.2, 2.3, 5.3).

use serde::Deserialize;

use crate::http::Request;
use crate::model::Holder;
use crate::model::HolderKind;
use crate::model::ObjectId;
use crate::model::Owner;
use crate::model::Thumbprint;
use crate::ports::Changes;
use crate::ports::Cursor;
use crate::ports::HolderPage;
use crate::ports::PortError;

use super::Graph;
use super::odata::by_id;
use super::pages::Page;
use super::pages::Walk;
use super::wire::HolderObject;
use super::wire::OwnerObject;

const APPLICATION: &str = "id,appId,displayName,createdDateTime,passwordCredentials,keyCredentials";
const PRINCIPAL: &str = "id,appId,displayName,createdDateTime,servicePrincipalType,preferredTokenSigningKeyThumbprint,\
                         passwordCredentials,keyCredentials";
/// What Graph allows at most on a page.
const TOP: &str = "999";
const EXPAND: (&str, &str) = ("$expand", "owners");

/// A row of a delta answer: of a changed object only the id is relied on, the object is then read itself.
#[derive(Deserialize)]
struct Row {
    id: String,
    #[serde(rename = "@removed")]
    removed: Option<serde_json::Value>,
}

impl Graph {
    /// See [`crate::ports::Directory::count_holders`].
    pub(super) async fn count_of(&self, kind: HolderKind) -> Result<u64, PortError> {
        let path = format!("/v1.0/{}/$count", collection(kind));
        Ok(self.read_patiently(|| Request::get(&path).header("consistencylevel", "eventual")).await?.value)
    }

    /// See [`crate::ports::Directory::holders`].
    pub(super) async fn page_of_holders(
        &self,
        kind: HolderKind,
        after: Option<Cursor>,
    ) -> Result<HolderPage, PortError> {
        let (read, mut walk) = match after {
            Some(cursor) => {
                let read = self.read_patiently(|| Request::follow(cursor.next.as_str()).page()).await?;
                (read, Walk::resume(cursor.seen))
            }
            None => (self.first_page(kind).await?, Walk::default()),
        };
        let page: Page<HolderObject> = read.value;
        let next = match page.next {
            Some(link) => {
                walk.step(self, &link)?;
                Some(Cursor { next: link, seen: walk.seen() })
            }
            None => None,
        };
        let holders = page.value.into_iter().map(|object| holder(kind, object)).collect();
        Ok(HolderPage { holders, next, date: read.date })
    }

    /// With the owners where Graph gives them; a tenant or cloud that does not is read without.
    async fn first_page(&self, kind: HolderKind) -> Result<crate::ports::Dated<Page<HolderObject>>, PortError> {
        let path = format!("/v1.0/{}", collection(kind));
        let plain = || Request::get(&path).query("$select", select(kind)).query("$top", TOP).page();
        match self.read_patiently(|| plain().query(EXPAND.0, EXPAND.1)).await {
            Err(PortError::Refused(refusal)) if refusal.status == 400 => self.read_patiently(plain).await,
            other => other,
        }
    }

    /// See [`crate::ports::Directory::holder`].
    pub(super) async fn one_holder(&self, kind: HolderKind, id: &ObjectId) -> Result<Option<Holder>, PortError> {
        let path = by_id(collection(kind), id.as_str(), "");
        let found: Option<HolderObject> = self.find(&path, &[("$select", select(kind)), EXPAND]).await?;
        Ok(found.map(|object| holder(kind, object)))
    }

    /// See [`crate::ports::Directory::changes`].
    pub(super) async fn changes_since(&self, kind: HolderKind, link: Option<&str>) -> Result<Changes, PortError> {
        let path = format!("/v1.0/{}/delta", collection(kind));
        let first = || match link {
            Some(link) => Request::follow(link).page(),
            None => Request::get(&path).query("$select", select(kind)).query("$deltatoken", "latest").page(),
        };
        let mut page: Page<Row> = self.read_patiently(first).await?.value;
        let (mut walk, mut ids) = (Walk::default(), std::collections::BTreeSet::new());
        loop {
            // The same object may come several times; the object itself is read afterwards, so that one look counts.
            for row in page.value {
                let id = ObjectId(row.id.to_ascii_lowercase());
                ids.insert((id, row.removed.is_some()));
            }
            if let Some(link) = page.delta {
                let (removed, changed): (Vec<_>, Vec<_>) = ids.into_iter().partition(|(_, removed)| *removed);
                let changed = changed.into_iter().map(|(id, _)| id).collect();
                return Ok(Changes { changed, removed: removed.into_iter().map(|(id, _)| id).collect(), link });
            }
            let Some(link) = page.next else {
                let why = "a delta answer ends without a link to go on from".into();
                return Err(PortError::Unsure { place: self.site.place(), why, request_id: None });
            };
            walk.step(self, &link)?;
            page = self.read_patiently(|| Request::follow(link.as_str()).page()).await?.value;
        }
    }
}

fn collection(kind: HolderKind) -> &'static str {
    match kind {
        HolderKind::Application => "applications",
        HolderKind::Principal => "servicePrincipals",
    }
}

fn select(kind: HolderKind) -> &'static str {
    match kind {
        HolderKind::Application => APPLICATION,
        HolderKind::Principal => PRINCIPAL,
    }
}

/// Wire to model.
fn holder(kind: HolderKind, object: HolderObject) -> Holder {
    Holder {
        kind,
        object_id: object.id.to_ascii_lowercase().into(),
        client_id: object.app_id.to_ascii_lowercase().into(),
        display_name: object.display_name,
        created: object.created_date_time,
        is_managed_identity: object.service_principal_type.as_deref() == Some("ManagedIdentity"),
        owners: object.owners.map(|owners| owners.into_iter().map(owner).collect()),
        signing: object.preferred_token_signing_key_thumbprint.map(|text| Thumbprint(text.to_ascii_uppercase())),
        secrets: object.password_credentials.into_iter().map(super::passwords::entry).collect(),
        certificates: object
            .key_credentials
            .into_iter()
            .map(|key| crate::model::CertificateEntry { key: None, ..super::keys::entry(key) })
            .collect(),
    }
}

fn owner(object: OwnerObject) -> Owner {
    Owner {
        id: object.id.to_ascii_lowercase().into(),
        name: object.display_name,
        mail: object.mail.or(object.user_principal_name).filter(|mail| mail.contains('@')),
        enabled: object.account_enabled,
    }
}
