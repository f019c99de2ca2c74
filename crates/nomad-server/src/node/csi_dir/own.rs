//! The names that the provider gives to its volumes and snapshots.
//!
//! Others put things into the same directories: a file system its `.snapshots`, a desktop its `.Trash-0`. Only
//! names of this form are read, and only they are ever removed.

use uuid::Uuid;

/// How names begin that are not final: being created, or being deleted.
const UNFINISHED: &str = ".";

/// The digits of an ID.
const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// The characters of an ID. Nomad's command line cuts its column off behind as many (nomad:
/// `command/volume_snapshot_list.go`, `-verbose`), and an ID that is cut can't be copied.
const ID_LEN: usize = 12;

/// A new ID: `kind`, `-` and random digits, 36 bits at least. The caller MUST check that it is free.
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
    /// A whole thing of this ID.
    Whole(&'n str),
    /// A thing that a crash interrupted being created or deleted.
    Unfinished,
    /// Another program's.
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

/// The name of a thing that is not whole.
pub(crate) fn unfinished(id: &str) -> String {
    format!("{UNFINISHED}{id}")
}

/// Whether the provider gives such IDs, or did: before they were shortened they were UUIDs.
fn is_id(id: &str) -> bool {
    let digits = id.strip_prefix("vol-").or_else(|| id.strip_prefix("snap-"));
    let is_short = digits.is_some_and(|digits| digits.bytes().all(|digit| DIGITS.contains(&digit)));
    (is_short && id.len() == ID_LEN) || (id.len() == 36 && Uuid::parse_str(id).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_own_ones_or_foreign() {
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
