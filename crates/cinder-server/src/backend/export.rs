//! The NFS export of a directory: how other hosts reach its files.

use std::net::Ipv6Addr;
use std::str::FromStr;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::backend::driver::volume_name;

/// The directory below which hosts mount exports by default. A host creates it when it attaches a volume.
// Cinder: the option nfs_mount_point_base, which a host's own setting replaces.
pub(crate) const MOUNT_POINT_BASE: &str = "/var/lib/statehold/mnt";

/// The maximum length of an export, in bytes: the longest path of Linux, and a host name.
const EXPORT_LEN_MAX: usize = 4096 + 256;

/// `HOST:/PATH`, as `mount -t nfs` takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// `HOST:/PATH`.
    source: Box<str>,
    /// The mount options, as `-o OPTIONS`.
    options: Option<Box<str>>,
}

impl FromStr for Export {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WANTED: &str =
            "wanted HOST:/PATH, an IPv6 address in brackets: [fd00::1]:/srv/volumes";
        if text.len() > EXPORT_LEN_MAX {
            return Err(format!("an export has at most {EXPORT_LEN_MAX} bytes"));
        }
        let (host, path) = if let Some(rest) = text.strip_prefix('[') {
            let (address, rest) = rest.split_once(']').ok_or(WANTED)?;
            let path = rest.strip_prefix(':').ok_or(WANTED)?;
            let address: Ipv6Addr =
                address.parse().map_err(|_| format!("{address:?} is no IPv6 address; {WANTED}"))?;
            (format!("[{address}]"), path)
        } else {
            let (host, path) = text.split_once(':').ok_or(WANTED)?;
            (host.to_owned(), path)
        };
        let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if host.is_empty()
            || host.starts_with('-')
            || !(host.starts_with('[') || host.chars().all(named))
        {
            // A bare IPv6 address fails here: its first colon was taken for the one before the path.
            return Err(format!("{host:?} is no host; {WANTED}"));
        }
        if !path.starts_with('/') {
            return Err(format!("{path:?} is no absolute path; {WANTED}"));
        }
        if path.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(format!("the path {path:?} has blanks, which mount tables can't hold"));
        }
        Ok(Self { source: format!("{host}:{path}").into(), options: None })
    }
}

impl Export {
    /// Sets the mount options.
    pub(crate) fn with_options(self, options: Option<&str>) -> Self {
        Self { options: options.map(|options| format!("-o {options}").into()), ..self }
    }

    /// Returns how a host reaches a volume.
    // Cinder: cinder/volume/drivers/nfs.py, NfsDriver.initialize_connection; os-brick:
    // os_brick/initiator/connectors/remotefs.py, RemoteFsConnector, which reads it.
    pub(crate) fn connection(&self, volume: Uuid) -> Value {
        json!({
            "export": self.source, "name": volume_name(volume), "options": self.options, "format": "raw",
        })
    }
}

/// Parses mount options in the syntax of `mount -o`.
///
/// # Errors
/// A message for the command line: the options are empty, contain blanks, or begin with a dash.
pub fn mount_options(text: &str) -> Result<Box<str>, String> {
    // os-brick splits the options at blanks: os_brick/initiator/connectors/remotefs.py, RemoteFsConnector.
    let plain = |c: char| !c.is_control() && !c.is_whitespace();
    if text.is_empty() || text.starts_with('-') || !text.chars().all(plain) {
        return Err("wanted options as after mount -o, with commas and without blanks".to_owned());
    }
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exports_are_a_host_and_an_absolute_path() {
        for (text, wanted) in [
            ("nfs1:/srv/a", "nfs1:/srv/a"),
            ("10.0.0.1:/", "10.0.0.1:/"),
            ("[fd00:0::1]:/srv/a:b", "[fd00::1]:/srv/a:b"),
        ] {
            let export: Export = text.parse().unwrap();
            assert_eq!(&*export.source, wanted, "{text}");
        }
        for (text, reason) in [
            ("nfs1", "wanted HOST:/PATH"),
            ("/srv/a", "wanted HOST:/PATH"),
            (":/srv/a", "is no host"),
            ("-o:/srv/a", "is no host"),
            ("nfs1:srv", "is no absolute path"),
            ("nfs1:", "is no absolute path"),
            ("fd00::1:/srv", "is no absolute path"),
            ("[fd00::1:/srv", "wanted HOST:/PATH"),
            ("[fd00::1]/srv", "wanted HOST:/PATH"),
            ("[nfs1]:/srv", "is no IPv6 address"),
            ("a b:/srv", "is no host"),
            ("nfs1:/a b", "has blanks"),
            ("nfs1:/a\n", "has blanks"),
        ] {
            let error = text.parse::<Export>().unwrap_err();
            assert!(error.contains(reason), "{text:?}: {error}");
        }
        assert!("n".repeat(5000).parse::<Export>().is_err());
    }

    #[test]
    fn mount_options_have_no_blanks() {
        assert_eq!(mount_options("nfsvers=4.2,hard").as_deref(), Ok("nfsvers=4.2,hard"));
        for text in ["", "-o hard", "hard soft", "a\tb"] {
            assert!(mount_options(text).is_err(), "{text:?}");
        }
    }
}
