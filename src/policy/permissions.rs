//! Permission names and their ids. Microsoft Graph's come from the published list (`graph-permissions.tsv`),
//! Exchange Online's app roles from `entra-contract.md` section 6; any other resource is named by ids.

use std::sync::LazyLock;

use crate::model::ClientId;
use crate::model::GRAPH_APP_ID;
use crate::model::PermissionKind;

use super::suggest;

/// Client id of Office 365 Exchange Online.
pub const EXCHANGE_APP_ID: &str = "00000002-0000-0ff1-ce00-000000000000";

/// Exchange Online app roles that integrations ask for.
const EXCHANGE_ROLES: &[(&str, &str)] = &[
    ("IMAP.AccessAsApp", "5e5addcd-3e8d-4e90-baf5-964efab2b20a"),
    ("POP.AccessAsApp", "cb842b43-da6e-4506-86fe-bb12199c656d"),
    ("SMTP.SendAsApp", "7146a1f0-8703-45b3-9eae-527a64c00995"),
    ("full_access_as_app", "dc890d15-9560-4a4c-9b7f-a736ec74ec40"),
];

/// One permission a resource offers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Offered {
    /// `Mail.ReadWrite`.
    pub name: &'static str,
    /// App role or delegated scope.
    pub kind: PermissionKind,
    /// Its GUID.
    pub id: &'static str,
    /// Whether only an administrator can consent.
    pub admin_consent: bool,
}

/// A resource of `[permissions.NAME]`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Resource {
    /// Office 365 Exchange Online.
    Exchange,
    /// Microsoft Graph.
    Graph,
    /// Another one, by its app id; permissions are ids there.
    Other(ClientId),
}

/// What a name may resolve to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Lookup {
    /// It exists.
    Found(&'static Offered),
    /// It exists, but only as the other kind.
    OtherKind(&'static Offered),
    /// It does not exist; the nearest name of the same kind.
    Unknown(Option<&'static str>),
}

static GRAPH: LazyLock<Vec<Offered>> = LazyLock::new(|| {
    let lines = include_str!("graph-permissions.tsv").lines();
    lines.filter(|line| !line.starts_with('#')).skip(1).filter_map(graph_line).collect()
});

static EXCHANGE: LazyLock<Vec<Offered>> = LazyLock::new(|| {
    let offered = |&(name, id)| Offered { name, kind: PermissionKind::Role, id, admin_consent: true };
    EXCHANGE_ROLES.iter().map(offered).collect()
});

fn graph_line(line: &'static str) -> Option<Offered> {
    let mut cells = line.split('\t');
    let (name, kind, id, consent) = (cells.next()?, cells.next()?, cells.next()?, cells.next()?);
    let kind = if kind == "Role" { PermissionKind::Role } else { PermissionKind::Scope };
    Some(Offered { name, kind, id, admin_consent: consent == "admin" })
}

impl Resource {
    /// The resource a policy calls `name`: `graph`, `exchange`, or an app id.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "graph" => Some(Self::Graph),
            "exchange" => Some(Self::Exchange),
            _ if name.eq_ignore_ascii_case(GRAPH_APP_ID) => Some(Self::Graph),
            _ if name.eq_ignore_ascii_case(EXCHANGE_APP_ID) => Some(Self::Exchange),
            _ if is_guid(name) => Some(Self::Other(ClientId(name.to_ascii_lowercase()))),
            _ => None,
        }
    }

    /// Its client id.
    pub fn client_id(&self) -> ClientId {
        match self {
            Self::Exchange => ClientId::from(EXCHANGE_APP_ID),
            Self::Graph => ClientId::from(GRAPH_APP_ID),
            Self::Other(id) => id.clone(),
        }
    }

    /// For people.
    pub fn title(&self) -> String {
        match self {
            Self::Exchange => "Exchange Online".into(),
            Self::Graph => "Microsoft Graph".into(),
            Self::Other(id) => format!("resource {id}"),
        }
    }

    /// Everything it offers that everkey has names for.
    pub fn offered(&self) -> &'static [Offered] {
        match self {
            Self::Exchange => &EXCHANGE,
            Self::Graph => &GRAPH,
            Self::Other(_) => &[],
        }
    }

    /// Looks `name` up among the permissions of `kind`.
    pub fn lookup(&self, name: &str, kind: PermissionKind) -> Lookup {
        let same_name = || self.offered().iter().filter(|offered| offered.name == name);
        if let Some(found) = same_name().find(|offered| offered.kind == kind) {
            return Lookup::Found(found);
        }
        if let Some(other) = same_name().next() {
            return Lookup::OtherKind(other);
        }
        let of_kind = self.offered().iter().filter(|offered| offered.kind == kind);
        Lookup::Unknown(suggest::nearest(name, of_kind.map(|offered| offered.name)))
    }
}

/// Permissions whose name contains `text`, in any case; Graph first, then Exchange Online.
pub fn search(text: &str) -> Vec<(Resource, &'static Offered)> {
    let text = text.to_lowercase();
    [Resource::Graph, Resource::Exchange]
        .into_iter()
        .flat_map(|resource| resource.offered().iter().map(move |offered| (resource.clone(), offered)))
        .filter(|(_, offered)| offered.name.to_lowercase().contains(&text))
        .collect()
}

/// Whether an application permission of Graph or Exchange reaches every mailbox of the tenant unless limited
/// (`entra-contract.md` 7.3: Mail, MailboxSettings, Calendars, Contacts roles and full access).
pub fn reaches_every_mailbox(name: &str) -> bool {
    let family = name.split('.').next().unwrap_or_default();
    let exchange = EXCHANGE_ROLES.iter().any(|(role, _)| *role == name);
    exchange || matches!(family, "Mail" | "MailboxSettings" | "Calendars" | "Contacts")
}

/// Whether `text` is a GUID as Entra writes it.
pub(crate) fn is_guid(text: &str) -> bool {
    text.len() == 36 && uuid::Uuid::try_parse(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_and_a_scope_of_one_name_have_their_own_ids() {
        let id = |kind| match Resource::Graph.lookup("Mail.ReadWrite", kind) {
            Lookup::Found(offered) => offered.id,
            other => panic!("{other:?}"),
        };
        assert_eq!(id(PermissionKind::Role), "e2a3a72e-5f79-4c64-b1b1-878b674786c9");
        assert_eq!(id(PermissionKind::Scope), "024d486e-b451-40bb-833d-3e66d98c5c73");
    }

    #[test]
    fn every_line_of_the_table_is_a_permission() {
        let lines = include_str!("graph-permissions.tsv").lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(GRAPH.len(), lines - 1);
        assert!(GRAPH.iter().all(|offered| is_guid(offered.id)));
    }

    #[test]
    fn unknown_names_get_the_nearest_one_of_their_kind() {
        assert_eq!(Resource::Graph.lookup("Mail.Reed", PermissionKind::Role), Lookup::Unknown(Some("Mail.Read")));
        assert_eq!(
            Resource::Graph.lookup("user.read.all", PermissionKind::Role),
            Lookup::Unknown(Some("User.Read.All"))
        );
        assert_eq!(Resource::Graph.lookup("Nothing.Near", PermissionKind::Role), Lookup::Unknown(None));
        assert!(matches!(Resource::Graph.lookup("openid", PermissionKind::Role), Lookup::OtherKind(_)));
    }

    #[test]
    fn search_ignores_case_and_covers_both_tables() {
        let names: Vec<_> = search("smtp.send").into_iter().map(|(_, offered)| offered.name).collect();
        assert_eq!(names, ["SMTP.Send", "SMTP.SendAsApp"]);
    }
}
