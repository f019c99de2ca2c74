//! The built-in plugin `mkdir`: a volume is a directory named by its ID.
// Nomad: client/hostvolumemanager/host_volume_plugin.go, HostVolumePluginMkdir.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use crate::node::host::{CreatedPath, HostVolumePlugin, HostVolumeRequest, PluginError, text_of};
use statehold_server_core::fs::atomic;

/// The plugin's ID.
pub(crate) const MKDIR: &str = "mkdir";

/// The plugin's version.
// Nomad: HostVolumePluginMkdirVersion.
const VERSION: &str = "0.0.1";

/// The default mode of a directory.
const MODE_DEFAULT: u32 = 0o700;

/// The plugin, with the directory in which it creates volumes.
#[derive(Clone, Debug)]
pub(crate) struct Mkdir {
    volumes: PathBuf,
}

impl Mkdir {
    pub(crate) fn new(volumes: impl Into<PathBuf>) -> Self {
        Self { volumes: volumes.into() }
    }
}

impl HostVolumePlugin for Mkdir {
    fn fingerprint(&self) -> Result<String, PluginError> {
        Ok(VERSION.to_owned())
    }

    fn create(&self, request: &HostVolumeRequest) -> Result<CreatedPath, PluginError> {
        let path = self.volumes.join(request.id.to_string());
        let created = CreatedPath { path: text_of(&path)?, bytes: 0 };
        if path.try_exists().map_err(|error| PluginError::io("error creating directory", &error))? {
            return Ok(created);
        }
        let parameters = DirParameters::of(request)?;
        create_durable(&path)
            .map_err(|error| PluginError::io("error creating directory", &error))?;
        // A directory with the wrong mode or owner is removed, or a retry would take it for the volume.
        parameters.apply(&path).inspect_err(|_| drop(fs::remove_dir(&path)))?;
        Ok(created)
    }

    fn delete(&self, request: &HostVolumeRequest, path: &str) -> Result<(), PluginError> {
        let own = self.volumes.join(request.id.to_string());
        // The path comes from the client that registered the volume and could be any directory. So only one named by
        // the volume's ID is deleted; it differs from `own` after the volumes directory was moved.
        let elsewhere = Some(Path::new(path)).filter(|path| path.file_name() == own.file_name());
        for path in [Some(&*own), elsewhere].into_iter().flatten() {
            match fs::remove_dir_all(path) {
                // An absent directory counts as deleted, because interrupted work is repeated.
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(PluginError::io("error deleting directory", &error));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Creates a directory and its parents with mode 0700, durable on return.
fn create_durable(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(MODE_DEFAULT).create(path)?;
    atomic::sync_parent(path)
}

/// The mode and owner from the parameters of a volume.
// Nomad: HostVolumePluginMkdirParams and decodeMkdirParams.
#[derive(Debug, PartialEq, Eq)]
struct DirParameters {
    mode: u32,
    /// The owner; unchanged when `None`.
    uid: Option<u32>,
    /// The group; unchanged when `None`.
    gid: Option<u32>,
}

impl DirParameters {
    fn of(request: &HostVolumeRequest) -> Result<Self, PluginError> {
        let mut parameters = Self { mode: MODE_DEFAULT, uid: None, gid: None };
        for (key, value) in &request.parameters {
            let invalid =
                |why: String| PluginError::Invalid(format!("invalid value for {key:?}: {why}"));
            match &**key {
                "mode" => parameters.mode = parse_mode(value).map_err(invalid)?,
                "uid" => parameters.uid = parse_owner(value).map_err(invalid)?,
                "gid" => parameters.gid = parse_owner(value).map_err(invalid)?,
                _ => return Err(invalid(format!("unknown mkdir parameter: {key:?}"))),
            }
        }
        Ok(parameters)
    }

    fn apply(&self, path: &Path) -> Result<(), PluginError> {
        // Set after creation, because the umask would clear bits of a mode passed to `mkdir`.
        fs::set_permissions(path, Permissions::from_mode(self.mode))
            .map_err(|error| PluginError::io("error setting directory permission mode", &error))?;
        if self.uid.is_some() || self.gid.is_some() {
            chown(path, self.uid, self.gid)
                .map_err(|error| PluginError::io("error changing owner/group", &error))?;
        }
        Ok(())
    }
}

/// Parses permission bits in octal digits. The errors are those of Go's `strconv.ParseUint`.
fn parse_mode(text: &str) -> Result<u32, String> {
    let error = |why| format!("strconv.ParseUint: parsing {text:?}: {why}");
    if text.is_empty() || !text.bytes().all(|digit| matches!(digit, b'0'..=b'7')) {
        return Err(error("invalid syntax"));
    }
    let bits = u32::from_str_radix(text, 8).ok().filter(|&bits| bits <= 0o7777);
    bits.ok_or_else(|| error("value out of range"))
}

/// Parses the ID of a user or a group; -1 leaves it unchanged. The errors are those of Go's `strconv.Atoi`.
fn parse_owner(text: &str) -> Result<Option<u32>, String> {
    let error = |why| format!("strconv.Atoi: parsing {text:?}: {why}");
    let number: i64 = text.parse().map_err(|_| error("invalid syntax"))?;
    match number {
        -1 => Ok(None),
        // chown(2): the largest ID means "unchanged".
        _ => u32::try_from(number)
            .ok()
            .filter(|&id| id != u32::MAX)
            .map(Some)
            .ok_or_else(|| error("value out of range")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(parameters: &[(&str, &str)]) -> HostVolumeRequest {
        let parameters = parameters.iter().map(|&(key, value)| (key.into(), value.into()));
        let id = "d5eb3325-5d8c-4f2f-a94f-0c2cc2a2e8a7".parse().unwrap();
        HostVolumeRequest { id, parameters: parameters.collect(), ..Default::default() }
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn creates_twice_and_deletes_twice() {
        let dir = tempfile::tempdir().unwrap();
        let mkdir = Mkdir::new(dir.path().join("volumes"));
        let request = request(&[]);
        let created = mkdir.create(&request).unwrap();
        assert_eq!(created.bytes, 0);
        let path = Path::new(&created.path);
        assert_eq!(mode(path), 0o700);
        fs::write(path.join("kept"), "data").unwrap();
        assert_eq!(mkdir.create(&request).unwrap(), created);
        assert!(path.join("kept").exists());
        mkdir.delete(&request, "").unwrap();
        assert!(!path.exists());
        mkdir.delete(&request, "").unwrap();
    }

    #[test]
    fn the_mode_is_exact_under_any_umask() {
        let dir = tempfile::tempdir().unwrap();
        let mkdir = Mkdir::new(dir.path());
        let created = mkdir.create(&request(&[("mode", "0777")])).unwrap();
        assert_eq!(mode(Path::new(&created.path)), 0o777);
    }

    #[test]
    fn delete_ignores_paths_that_do_not_end_in_the_id() {
        let dir = tempfile::tempdir().unwrap();
        let mkdir = Mkdir::new(dir.path().join("volumes"));
        let other = dir.path().join("other");
        fs::create_dir(&other).unwrap();
        mkdir.delete(&request(&[]), other.to_str().unwrap()).unwrap();
        assert!(other.exists());
        let before = Mkdir::new(dir.path().join("before")).create(&request(&[])).unwrap();
        mkdir.delete(&request(&[]), &before.path).unwrap();
        assert!(!Path::new(&before.path).exists());
    }

    #[test]
    fn invalid_parameters_are_named_and_create_no_directory() {
        let cases = [
            (("mode", "rwx"), r#"strconv.ParseUint: parsing "rwx": invalid syntax"#),
            (("mode", "+7"), r#"strconv.ParseUint: parsing "+7": invalid syntax"#),
            (("mode", "77777"), r#"strconv.ParseUint: parsing "77777": value out of range"#),
            (("uid", "root"), r#"strconv.Atoi: parsing "root": invalid syntax"#),
            (("gid", "-2"), r#"strconv.Atoi: parsing "-2": value out of range"#),
            (("size", "1"), r#"unknown mkdir parameter: "size""#),
        ];
        let dir = tempfile::tempdir().unwrap();
        let mkdir = Mkdir::new(dir.path());
        for ((key, value), why) in cases {
            let error = mkdir.create(&request(&[(key, value)])).unwrap_err();
            assert_eq!(error.to_string(), format!("invalid value for {key:?}: {why}"));
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
