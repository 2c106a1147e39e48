//! `user:group` of a policy, looked up in the system's user database.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::fchown;

use nix::unistd::Group;
use nix::unistd::User;

use super::error::Result;
use super::error::SinkError;

/// Whom a file is given to; `None` leaves that half as it is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Owner {
    /// User id.
    pub(super) user: Option<u32>,
    /// Group id.
    pub(super) group: Option<u32>,
}

impl Owner {
    /// Reads `user:group`, `user`, `:group`; names or numbers. Unknown names are refused.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let (user, group) = text.split_once(':').unwrap_or((text, ""));
        let unknown = |kind: &str, name: &str| SinkError::refused(format!("owner `{text}`: no {kind} `{name}` here"));
        let user = match user {
            "" => None,
            name => Some(match name.parse() {
                Ok(id) => id,
                Err(_) => User::from_name(name).ok().flatten().ok_or_else(|| unknown("user", name))?.uid.as_raw(),
            }),
        };
        let group = match group {
            "" => None,
            name => Some(match name.parse() {
                Ok(id) => id,
                Err(_) => Group::from_name(name).ok().flatten().ok_or_else(|| unknown("group", name))?.gid.as_raw(),
            }),
        };
        if user.is_none() && group.is_none() {
            return Err(SinkError::refused(format!("owner `{text}` names nobody; write user:group")));
        }
        Ok(Self { user, group })
    }

    /// Gives an open file away. A file that has this owner already is left alone, so that everkey need not be
    /// root where nothing changes.
    pub(super) fn give(self, file: &File) -> io::Result<()> {
        let metadata = file.metadata()?;
        let user = self.user.filter(|user| *user != metadata.uid());
        let group = self.group.filter(|group| *group != metadata.gid());
        if user.is_none() && group.is_none() { Ok(()) } else { fchown(file, user, group) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_understood() {
        assert_eq!(Owner::parse("root:root").unwrap(), Owner { user: Some(0), group: Some(0) });
        assert_eq!(Owner::parse("1000").unwrap(), Owner { user: Some(1000), group: None });
        assert_eq!(Owner::parse(":12").unwrap(), Owner { user: None, group: Some(12) });
        for bad in ["", ":", "no-such-user:root", "root:no-such-group", "root:root:root"] {
            assert!(Owner::parse(bad).is_err(), "{bad}");
        }
    }
}
