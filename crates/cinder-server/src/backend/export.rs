//! NFS exports of back ends: how other hosts reach the files of a directory that an NFS server exports.

use std::net::Ipv6Addr;
use std::str::FromStr;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::backend::driver::volume_name;

/// Where hosts mount exports unless they are set up otherwise. A host creates the directory when it attaches.
// Cinder: the option nfs_mount_point_base, which a host's own setting replaces.
pub(crate) const MOUNT_POINT_BASE: &str = "/var/lib/statehold/mnt";

/// The longest export, in bytes: the longest path that Linux takes, and a host name.
const EXPORT_LEN_MAX: usize = 4096 + 256;

/// `HOST:/PATH`, as `mount -t nfs` takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    place: Box<str>,
    /// The options of the mount, as `-o OPTIONS`.
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
            // The second colon of a bare IPv6 address would be taken for the one before the path.
            return Err(format!("{host:?} is no host; {WANTED}"));
        }
        if !path.starts_with('/') {
            return Err(format!("{path:?} is no absolute path; {WANTED}"));
        }
        if path.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(format!("the path {path:?} has blanks, which mount tables can't hold"));
        }
        Ok(Self { place: format!("{host}:{path}").into(), options: None })
    }
}

impl Export {
    /// The same with the options of its mount.
    pub(crate) fn with_options(self, options: Option<&str>) -> Self {
        Self { options: options.map(|options| format!("-o {options}").into()), ..self }
    }

    /// Returns how a host reaches a volume.
    // Cinder: cinder/volume/drivers/nfs.py, NfsDriver.initialize_connection; os-brick:
    // os_brick/initiator/connectors/remotefs.py, RemoteFsConnector, which reads it.
    pub(crate) fn connection(&self, volume: Uuid) -> Value {
        json!({
            "export": self.place, "name": volume_name(volume), "options": self.options, "format": "raw",
        })
    }
}

/// Reads the options of a mount, as `mount -o` takes them.
pub fn mount_options(text: &str) -> Result<Box<str>, String> {
    // Clients split the options at blanks.
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
            assert_eq!(&*export.place, wanted, "{text}");
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
