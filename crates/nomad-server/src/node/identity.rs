//! The identity of this machine: its node ID, stored in the data directory, and its attributes.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::Path;

use statehold_nomad::Labels;
use uuid::Uuid;

use crate::api::agent::NOMAD_VERSION;
use statehold_server_core::fs::atomic;
use statehold_server_core::fs::regular;

/// The file in the data directory with the node's ID.
const FILE: &str = "node-id";

/// Returns the node's ID. The first start in a data directory creates it; it never changes after that.
///
/// # Errors
/// The file can't be read or written, or has no UUID. It is never replaced, because rows of volumes refer to the ID.
pub(crate) fn node_id(data_dir: &Path) -> io::Result<Uuid> {
    let path = data_dir.join(FILE);
    match regular::read_to_string(&path) {
        Ok(text) => text.trim().parse().map_err(|error| {
            io::Error::other(format!(
                "{} holds no UUID: {error}; restore the node's ID, or remove the file to create a new one",
                path.display()
            ))
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let id = Uuid::new_v4();
            atomic::replace(&path, format!("{id}\n").as_bytes())?;
            Ok(id)
        }
        Err(error) => Err(error),
    }
}

/// Returns Go's name of the architecture, which Nomad reports.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        "powerpc64" => "ppc64",
        "loongarch64" => "loong64",
        other => other,
    }
}

/// Returns the names and values of `/etc/os-release`, without quotes.
fn os_release(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let pairs = text.lines().filter_map(|line| line.trim().split_once('='));
    pairs.map(|(name, value)| (name, value.trim_matches(['"', '\''])))
}

/// Returns the attributes that Nomad's client reports, too, by the same names. `address` is that of the HTTP API; an
/// unspecified address or port is not reported.
// Nomad: client/fingerprint/{cpu,memory,host,network}.go.
fn found(address: Option<SocketAddr>) -> Labels {
    let mut found = Labels::new();
    let mut add = |name: &str, value: String| found.insert(name.into(), value.into());
    if let Ok(cores) = std::thread::available_parallelism() {
        add("cpu.numcores", cores.to_string());
    }
    #[cfg(target_os = "linux")]
    {
        let memory = rustix::system::sysinfo();
        let bytes = u128::from(memory.totalram) * u128::from(memory.mem_unit);
        add("memory.totalbytes", bytes.to_string());
    }
    // A machine without the file keeps the name of its kernel's system.
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    add("os.name", std::env::consts::OS.to_owned());
    for (name, value) in os_release(&release) {
        match name {
            "ID" => drop(add("os.name", value.to_owned())),
            "VERSION_ID" => drop(add("os.version", value.to_owned())),
            _ => {}
        }
    }
    if let Some(address) = address.filter(|address| !address.ip().is_unspecified()) {
        add("unique.network.ip-address", address.ip().to_string());
        if address.port() != 0 {
            add("nomad.advertise.address", address.to_string());
        }
    }
    found
}

/// Returns the attributes of this machine, for the constraints of volumes. It has no `driver.*`, because this server
/// runs no tasks.
pub(crate) fn attributes(address: Option<SocketAddr>) -> Labels {
    let system = rustix::system::uname();
    let own = [
        ("cpu.arch", architecture().into()),
        ("nomad.version", NOMAD_VERSION.into()),
        ("kernel.arch", system.machine().to_string_lossy()),
        ("kernel.name", std::env::consts::OS.into()),
        ("kernel.version", system.release().to_string_lossy()),
        ("unique.hostname", system.nodename().to_string_lossy()),
        ("statehold.version", env!("CARGO_PKG_VERSION").into()),
    ];
    let own = own.into_iter().map(|(name, value)| (name.into(), value.into()));
    found(address).into_iter().chain(own).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_node_id_never_changes() {
        let dir = tempfile::tempdir().unwrap();
        let id = node_id(dir.path()).unwrap();
        assert_eq!(node_id(dir.path()).unwrap(), id);
    }

    #[test]
    fn an_invalid_node_id_is_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(FILE), "nobody").unwrap();
        let error = node_id(dir.path()).unwrap_err().to_string();
        assert!(error.contains("restore the node's ID"), "{error}");
        assert_eq!(fs::read_to_string(dir.path().join(FILE)).unwrap(), "nobody");
    }

    #[test]
    fn attributes_name_the_kernel() {
        assert_eq!(
            attributes(None).get("kernel.name").map(|name| &**name),
            Some(std::env::consts::OS)
        );
    }
}
