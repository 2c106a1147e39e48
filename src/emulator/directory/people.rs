//! Users, as far as they own applications: nobody signs in here as a person.

use serde::Deserialize;
use serde::Serialize;
use uuid::Uuid;

use super::Directory;

/// A user of the tenant.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// Whether they may sign in; false for somebody who has left.
    pub account_enabled: bool,
    /// The name people know.
    pub display_name: String,
    /// The object id.
    pub id: Uuid,
    /// Their address, which is their user principal name as well.
    pub mail: String,
}

impl Directory {
    /// The user with this object id.
    pub fn user(&self, id: Uuid) -> Option<&User> {
        self.users.get(&id)
    }

    /// The user with this address.
    pub fn user_by_mail(&self, mail: &str) -> Option<&User> {
        self.users.values().find(|user| user.mail.eq_ignore_ascii_case(mail))
    }

    pub(super) fn insert_user(&mut self, display_name: String, mail: String, account_enabled: bool) -> Uuid {
        let id = self.entropy.uuid();
        self.users.insert(id, User { account_enabled, display_name, id, mail });
        id
    }
}
