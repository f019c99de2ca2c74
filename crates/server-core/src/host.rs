//! The machine that the server runs on.

/// Returns the machine's name in the network.
pub fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
