//! The directory names of the provider's volumes and snapshots.
//!
//! Other programs create entries in the same directories: a file system its `.snapshots`, a desktop its `.Trash-0`.
//! The provider reads and removes only names of its own form.

use uuid::Uuid;

/// The prefix of a directory that is being created or deleted.
const UNFINISHED: &str = ".";

/// The digits of an ID.
const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// The length of an ID. Nomad's command line truncates the column to this length without `-verbose`, and a truncated ID
/// is useless.
// Nomad: command/volume_snapshot_list.go.
const ID_LEN: usize = 12;

/// Returns a random ID: `kind`, `-` and digits, with at least 36 bits. The caller MUST check that it is free.
pub(crate) fn new_id(kind: &str) -> String {
    let mut id = format!("{kind}-");
    while id.len() < ID_LEN {
        id.push(char::from(DIGITS[fastrand::usize(..DIGITS.len())]));
    }
    id
}

/// The meaning of a directory's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name<'n> {
    /// A complete object of this ID.
    Whole(&'n str),
    /// An object whose creation or deletion a crash interrupted.
    Unfinished,
    /// An entry of another program.
    Foreign,
}

impl<'n> Name<'n> {
    pub(crate) fn of(name: &'n str) -> Self {
        match name.strip_prefix(UNFINISHED) {
            Some(id) if is_id(id) => Self::Unfinished,
            None if is_id(name) => Self::Whole(name),
            _ => Self::Foreign,
        }
    }
}

/// Returns the name of an object while it is created or deleted.
pub(crate) fn unfinished(id: &str) -> String {
    format!("{UNFINISHED}{id}")
}

/// Returns whether a string has the form of an ID: the current one, or the UUIDs of earlier versions.
fn is_id(id: &str) -> bool {
    let digits = id.strip_prefix("vol-").or_else(|| id.strip_prefix("snap-"));
    let is_short = digits.is_some_and(|digits| digits.bytes().all(|digit| DIGITS.contains(&digit)));
    (is_short && id.len() == ID_LEN) || (id.len() == 36 && Uuid::parse_str(id).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_other_forms_are_foreign() {
        for kind in ["vol", "snap"] {
            let id = new_id(kind);
            assert_eq!(id.len(), ID_LEN);
            assert_eq!(Name::of(&id), Name::Whole(&id));
            assert_eq!(Name::of(&unfinished(&id)), Name::Unfinished);
        }
        let old = "d5eb3325-5d8c-4f2f-a94f-0c2cc2a2e8a7";
        assert_eq!(
            (Name::of(old), Name::of(&unfinished(old))),
            (Name::Whole(old), Name::Unfinished)
        );
        for name in
            [".snapshots", ".zfs", ".Trash-0", "lost+found", ".", "..", "", ".vol-", "vol-1234567A"]
        {
            assert_eq!(Name::of(name), Name::Foreign, "{name}");
        }
    }
}
