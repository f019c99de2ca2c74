//! Who this machine is: the ID that its data directory keeps, and what it finds out about itself.

use std::fs;
use std::io;
use std::path::Path;

use statehold_volumes::Labels;
use uuid::Uuid;

use crate::private;

/// The file in the data directory that keeps the node's ID.
const FILE: &str = "node-id";

/// The node's ID: made at the first start in a data directory, the same ever after.
pub(crate) fn node_id(data_dir: &Path) -> io::Result<Uuid> {
    let path = data_dir.join(FILE);
    match fs::read_to_string(&path) {
        Ok(text) => text.trim().parse().map_err(|error| {
            io::Error::other(format!(
                "{} holds no UUID: {error}; put the node's ID back, or remove the file for a new one",
                path.display()
            ))
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let id = Uuid::new_v4();
            private::replace(&path, format!("{id}\n").as_bytes())?;
            Ok(id)
        }
        Err(error) => Err(error),
    }
}

/// The machine's name in the network.
pub(crate) fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// What a node says about the machine it is, for the constraints of volumes.
pub(crate) fn attributes() -> Labels {
    let system = rustix::system::uname();
    let said = [
        ("cpu.arch", std::env::consts::ARCH.into()),
        ("kernel.arch", system.machine().to_string_lossy()),
        ("kernel.name", std::env::consts::OS.into()),
        ("kernel.version", system.release().to_string_lossy()),
        ("unique.hostname", system.nodename().to_string_lossy()),
        ("statehold.version", env!("CARGO_PKG_VERSION").into()),
    ];
    said.into_iter().map(|(name, value)| (name.into(), value.into())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_stays() {
        let dir = tempfile::tempdir().unwrap();
        let id = node_id(dir.path()).unwrap();
        assert_eq!(node_id(dir.path()).unwrap(), id);
    }

    #[test]
    fn an_id_that_is_none_is_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(FILE), "nobody").unwrap();
        let error = node_id(dir.path()).unwrap_err().to_string();
        assert!(error.contains("put the node's ID back"), "{error}");
        assert_eq!(fs::read_to_string(dir.path().join(FILE)).unwrap(), "nobody");
    }

    #[test]
    fn the_machine_says_what_it_is() {
        assert_eq!(attributes().get("kernel.name").map(|name| &**name), Some(std::env::consts::OS));
        assert!(!host_name().is_empty());
    }
}
