//! Who this machine is: the ID that its data directory keeps, and what it finds out about itself.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::Path;

use statehold_nomad::Labels;
use uuid::Uuid;

use crate::api::agent::NOMAD_VERSION;
use statehold_server_core::fs::atomic;
use statehold_server_core::fs::regular;

/// The file in the data directory that keeps the node's ID.
const FILE: &str = "node-id";

/// The node's ID: made at the first start in a data directory, the same ever after.
pub(crate) fn node_id(data_dir: &Path) -> io::Result<Uuid> {
    let path = data_dir.join(FILE);
    match regular::read_to_string(&path) {
        Ok(text) => text.trim().parse().map_err(|error| {
            io::Error::other(format!(
                "{} holds no UUID: {error}; put the node's ID back, or remove the file for a new one",
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

/// The architecture by the name that Go, and so Nomad, has for it.
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

/// The names and values of `/etc/os-release`, without quotes.
fn os_release(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let pairs = text.lines().filter_map(|line| line.trim().split_once('='));
    pairs.map(|(name, value)| (name, value.trim_matches(['"', '\''])))
}

/// Returns the attributes that Nomad's client reports of its machine too, by the same names. `address` is that of the
/// HTTP API; one that stands for all of the machine's, or a port of 0, is not reported.
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

/// The attributes of a node's machine, for the constraints of volumes. It has no `driver.*`,
/// because nothing runs tasks here.
pub(crate) fn attributes(address: Option<SocketAddr>) -> Labels {
    let system = rustix::system::uname();
    let said = [
        ("cpu.arch", architecture().into()),
        ("nomad.version", NOMAD_VERSION.into()),
        ("kernel.arch", system.machine().to_string_lossy()),
        ("kernel.name", std::env::consts::OS.into()),
        ("kernel.version", system.release().to_string_lossy()),
        ("unique.hostname", system.nodename().to_string_lossy()),
        ("statehold.version", env!("CARGO_PKG_VERSION").into()),
    ];
    let said = said.into_iter().map(|(name, value)| (name.into(), value.into()));
    found(address).into_iter().chain(said).collect()
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
        assert_eq!(
            attributes(None).get("kernel.name").map(|name| &**name),
            Some(std::env::consts::OS)
        );
    }
}
