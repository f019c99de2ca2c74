//! Secrets of a volume: stored and sent to its provider, never displayed.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

/// Named secrets that a storage provider requires with each call about a volume.
///
/// `Debug` shows the names only. There is no `Display`, and no JSON view of a volume carries this
/// type: the `Serialize` implementation is for the store's rows.
///
/// # Examples
/// ```
/// use statehold_nomad::Secrets;
///
/// let secrets: Secrets = [("password", "xyzzy")].into_iter().collect();
/// assert_eq!(format!("{secrets:?}"), "csi.CSISecrets(map[password:[REDACTED]])");
/// assert_eq!(secrets.reveal().collect::<Vec<_>>(), [("password", "xyzzy")]);
/// ```
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secrets(BTreeMap<Box<str>, Box<str>>);

impl Secrets {
    /// Returns names and values, ordered by name, for a call to the provider.
    pub fn reveal(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// Returns these secrets merged with `others`, which take precedence.
    pub(crate) fn with(&self, others: &Self) -> Self {
        let mut all = self.clone();
        all.0.extend(others.0.clone());
        all
    }

    /// Returns whether there are no secrets.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<N: Into<Box<str>>, V: Into<Box<str>>> FromIterator<(N, V)> for Secrets {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Nomad: nomad/structs/csi.go, CSISecrets.GoString prints the same, so that logs of both
        // can be compared.
        f.write_str("csi.CSISecrets(map[")?;
        for (at, name) in self.0.keys().enumerate() {
            let gap = if at == 0 { "" } else { " " };
            write!(f, "{gap}{name}:[REDACTED]")?;
        }
        f.write_str("])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_of_no_secrets_is_an_empty_map() {
        assert_eq!(format!("{:?}", Secrets::default()), "csi.CSISecrets(map[])");
    }

    #[test]
    fn debug_prints_names_but_never_values() {
        let secrets: Secrets = [("b", "hunter2"), ("a", "xyzzy")].into_iter().collect();
        assert_eq!(format!("{secrets:?}"), "csi.CSISecrets(map[a:[REDACTED] b:[REDACTED]])");
    }
}
