//! The permissions that Microsoft's own resources offer: all of Microsoft Graph (from the table of
//! published facts) and the app roles of Office 365 Exchange Online (entra-contract 6).

use std::sync::LazyLock;

use uuid::Uuid;
use uuid::uuid;

/// Client id of Azure AD Graph, the audience of proofs of possession.
pub const AAD_GRAPH: Uuid = uuid!("00000002-0000-0000-c000-000000000000");
/// Client id of Office 365 Exchange Online.
pub const EXCHANGE_ONLINE: Uuid = uuid!("00000002-0000-0ff1-ce00-000000000000");
/// Client id of Microsoft Graph.
pub const MICROSOFT_GRAPH: Uuid = uuid!("00000003-0000-0000-c000-000000000000");

/// Who gets a permission: an app by itself, or an app on behalf of a user.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PermissionKind {
    /// An app role.
    Application,
    /// A scope.
    Delegated,
}

/// One permission that a resource offers.
#[derive(Clone, Debug)]
pub struct Permission {
    /// Whether only an administrator can consent.
    pub admin_consent: bool,
    /// Its id.
    pub id: Uuid,
    /// Application or delegated.
    pub kind: PermissionKind,
    /// Its name (`value` on the wire).
    pub name: String,
}

/// The permissions of a resource by its client id; empty for a resource that offers none.
pub fn permissions_of(app_id: Uuid) -> &'static [Permission] {
    match app_id {
        EXCHANGE_ONLINE => &EXCHANGE,
        MICROSOFT_GRAPH => &GRAPH,
        _ => &[],
    }
}

/// The name that a Microsoft resource goes by; `None` for any other.
pub(super) fn microsoft_name(app_id: Uuid) -> Option<&'static str> {
    match app_id {
        EXCHANGE_ONLINE => Some("Office 365 Exchange Online"),
        MICROSOFT_GRAPH => Some("Microsoft Graph"),
        _ => None,
    }
}

static GRAPH: LazyLock<Vec<Permission>> =
    LazyLock::new(|| include_str!("../../policy/graph-permissions.tsv").lines().filter_map(row).collect());

static EXCHANGE: LazyLock<Vec<Permission>> = LazyLock::new(|| {
    let role = |name: &str, id| Permission {
        admin_consent: true,
        id,
        kind: PermissionKind::Application,
        name: name.to_owned(),
    };
    vec![
        role("IMAP.AccessAsApp", uuid!("5e5addcd-3e8d-4e90-baf5-964efab2b20a")),
        role("POP.AccessAsApp", uuid!("cb842b43-da6e-4506-86fe-bb12199c656d")),
        role("SMTP.SendAsApp", uuid!("7146a1f0-8703-45b3-9eae-527a64c00995")),
        role("full_access_as_app", uuid!("dc890d15-9560-4a4c-9b7f-a736ec74ec40")),
    ]
});

/// One row of the table: name, kind, id, who consents. Comments and the heading give `None`.
fn row(line: &str) -> Option<Permission> {
    let mut cells = line.split('\t');
    let name = cells.next()?.to_owned();
    let kind = match cells.next()? {
        "Role" => PermissionKind::Application,
        "Scope" => PermissionKind::Delegated,
        _ => return None,
    };
    let id = cells.next()?.parse().ok()?;
    Some(Permission { admin_consent: cells.next() == Some("admin"), id, kind, name })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_table_is_a_permission() {
        let rows = include_str!("../../policy/graph-permissions.tsv").lines().count();
        assert_eq!(permissions_of(MICROSOFT_GRAPH).len(), rows - 2, "all but the comment and the heading");
        let owned_by = permissions_of(MICROSOFT_GRAPH)
            .iter()
            .find(|one| one.name == "Application.ReadWrite.OwnedBy" && one.kind == PermissionKind::Application)
            .unwrap();
        assert_eq!(owned_by.id, uuid!("18a4783c-866b-4cc7-a460-3d5e5662c884"));
    }
}
