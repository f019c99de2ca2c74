//! Host-volume plugins that are executables: each call runs the program once.
//!
//! The operation is the only argument; everything else is in the environment, which has only the documented variables.
//! The result is JSON on standard output. A program that exceeds its time limit is killed with its child processes.
// Nomad: client/hostvolumemanager/host_volume_plugin.go, HostVolumePluginExternal.

use std::fmt::Write as _;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use serde::Deserialize;
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::node::host::{CreatedPath, HostVolumePlugin, HostVolumeRequest, PluginError, text_of};

/// Maximum time of a fingerprint.
// Nomad: HostVolumePluginExternal.Fingerprint.
pub(crate) const FINGERPRINT_MAX: Duration = Duration::from_secs(5);

/// Maximum time to create or delete a volume.
// Nomad: HostVolumePluginExternal.Create, whose RPC has this time limit.
pub(crate) const OPERATION_MAX: Duration = Duration::from_secs(60);

/// Maximum size of a plugin's output in bytes. The rest is read and discarded.
const OUTPUT_MAX: u64 = 64 << 10;

/// The longest path that a plugin may return, in bytes: Linux's `PATH_MAX`.
const PATH_MAX: usize = 4096;

/// The longest version that a plugin may return, in bytes.
const VERSION_MAX: usize = 256;

/// An executable in the plugin directory.
#[derive(Clone, Debug)]
pub(crate) struct Executable {
    id: Box<str>,
    plugins: PathBuf,
    volumes: PathBuf,
    /// The runtime of the program's pipes and timers. Calls come from threads that may block.
    runtime: Handle,
    /// Whether the server stops, which kills the program.
    stopped: watch::Receiver<bool>,
    operation_max: Duration,
}

impl Executable {
    /// Finds the executable of a plugin.
    ///
    /// # Errors
    /// [`PluginError::Missing`] and [`PluginError::NotExecutable`].
    // Nomad: NewHostVolumePluginExternal.
    pub(crate) fn find(
        id: &str,
        plugins: &Path,
        volumes: &Path,
        runtime: &Handle,
        stopped: watch::Receiver<bool>,
    ) -> Result<Self, PluginError> {
        let missing = || PluginError::Missing { plugin: id.into() };
        let mut parts = Path::new(id).components();
        // One plain name, because a path could lead out of the directory.
        let (Some(Component::Normal(name)), None) = (parts.next(), parts.next()) else {
            return Err(missing());
        };
        // Path components drop a trailing slash.
        if name != id {
            return Err(missing());
        }
        let file = plugins.join(name).metadata().map_err(|_| missing())?;
        if !file.is_file() {
            return Err(missing());
        }
        if file.permissions().mode() & 0o111 == 0 {
            return Err(PluginError::NotExecutable { plugin: id.into() });
        }
        Ok(Self {
            id: id.into(),
            plugins: plugins.to_owned(),
            volumes: volumes.to_owned(),
            runtime: runtime.clone(),
            stopped,
            operation_max: OPERATION_MAX,
        })
    }

    /// Sets the time limit of operations.
    #[cfg(test)]
    fn operation_max(mut self, max: Duration) -> Self {
        self.operation_max = max;
        self
    }

    /// Runs the program for an operation on a volume, with `more` environment variables.
    fn operate(
        &self,
        operation: &str,
        request: &HostVolumeRequest,
        more: &[(&str, String)],
    ) -> Result<Output, PluginError> {
        // Nomad marshals a nil map, which Go writes as `null`.
        let parameters = if request.parameters.is_empty() {
            "null".to_owned()
        } else {
            serde_json::to_string(&request.parameters)
                .map_err(|error| PluginError::Failed(error.to_string()))?
        };
        let mut env = vec![
            ("DHV_VOLUMES_DIR", text_of(&self.volumes)?),
            ("DHV_PLUGIN_DIR", text_of(&self.plugins)?),
            ("DHV_NODE_POOL", (*request.node_pool).to_owned()),
            ("DHV_NAMESPACE", (*request.namespace).to_owned()),
            ("DHV_VOLUME_NAME", (*request.name).to_owned()),
            ("DHV_VOLUME_ID", request.id.to_string()),
            ("DHV_NODE_ID", request.node_id.to_string()),
            ("DHV_PARAMETERS", parameters),
        ];
        env.extend_from_slice(more);
        self.run(operation, &env, self.operation_max)
            .map_err(|error| PluginError::io(&self.failed(operation, request), &error))
    }

    /// Runs the program once and returns its output. Blocks for at most `max`.
    fn run(&self, operation: &str, env: &[(&str, String)], max: Duration) -> io::Result<Output> {
        let mut command = Command::new(self.plugins.join(&*self.id));
        command
            .arg(operation)
            .env_clear()
            .env("DHV_OPERATION", operation)
            .envs(env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Its own process group, which can be killed as a whole.
            .process_group(0)
            .kill_on_drop(true);
        let answer = async {
            let mut child = command.spawn()?;
            let group = Group::of(&child);
            let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
            let (stdout, stderr, status) =
                tokio::try_join!(read(stdout), read(stderr), child.wait())?;
            group.keep_alive();
            if !stderr.is_empty() {
                let stderr = String::from_utf8_lossy(&stderr);
                tracing::info!(plugin = %self.id, operation, stderr = stderr.trim_end(), "plugin");
            }
            let failure = (!status.success()).then(|| status.to_string());
            // Go's `exec.ExitError` has no colon, and clients print the message.
            Ok(Output {
                failure: failure.map(|text| text.replace("exit status: ", "exit status ")),
                stdout,
            })
        };
        let mut stopped = self.stopped.clone();
        let stop = async {
            if stopped.wait_for(|stopped| *stopped).await.is_err() {
                // Without a sender the server never stops.
                std::future::pending::<()>().await;
            }
        };
        self.runtime.block_on(async {
            tokio::select! {
                answer = tokio::time::timeout(max, answer) => answer.unwrap_or_else(|_| {
                    let text = format!("killed after {} s without an answer", max.as_secs());
                    Err(io::Error::new(io::ErrorKind::TimedOut, text))
                }),
                () = stop => {
                    Err(io::Error::new(io::ErrorKind::Interrupted, "killed, because the server stops"))
                }
            }
        })
    }

    /// Returns the beginning of a failed operation's message.
    // Nomad: HostVolumePluginExternal.Create and Delete.
    fn failed(&self, operation: &str, request: &HostVolumeRequest) -> String {
        let doing = if operation == "create" { "creating" } else { "deleting" };
        format!("error {doing} volume \"{}\" with plugin {:?}", request.id, self.id)
    }
}

/// The process group of a program. Kills the remaining processes on drop, unless [`Group::keep_alive`] was called.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| Pid::from_raw(id.cast_signed())))
    }

    /// Keeps the remaining processes alive, because the program ended by itself.
    fn keep_alive(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // An error means that the group is gone already.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// Reads up to [`OUTPUT_MAX`] bytes. Reads the rest as well, because a program with a full pipe would block.
async fn read(from: Option<impl tokio::io::AsyncRead + Unpin>) -> io::Result<Vec<u8>> {
    let mut kept = Vec::new();
    if let Some(mut from) = from {
        (&mut from).take(OUTPUT_MAX).read_to_end(&mut kept).await?;
        tokio::io::copy(&mut from, &mut tokio::io::sink()).await?;
    }
    Ok(kept)
}

/// The result of one run.
struct Output {
    /// The exit status, unless the program succeeded.
    failure: Option<String>,
    stdout: Vec<u8>,
}

/// The output of a fingerprint.
// Nomad: PluginFingerprint.
#[derive(Deserialize)]
struct Fingerprint {
    version: String,
}

/// The output of a successful create.
// Nomad: HostVolumePluginCreateResponse.
#[derive(Deserialize)]
struct Created {
    path: String,
    bytes: Option<i64>,
}

/// Validates the output of a create, because rows store the path and a later delete passes it to the plugin.
fn validate(created: Created) -> Result<CreatedPath, String> {
    let Created { path, bytes } = created;
    let plain = |part| matches!(part, Component::RootDir | Component::Normal(_));
    // `components` drops every `.`, which is harmless in a path.
    if !Path::new(&path).is_absolute() || !Path::new(&path).components().all(plain) {
        return Err(format!("the path {path:?}, which is not absolute and without \"..\""));
    }
    if path.len() > PATH_MAX || path.contains('\0') {
        return Err(format!("a path that is no string of at most {PATH_MAX} bytes"));
    }
    match bytes.unwrap_or_default() {
        bytes @ 0.. => Ok(CreatedPath { path, bytes }),
        bytes => Err(format!("a size of {bytes} bytes")),
    }
}

/// The output of a failed operation.
#[derive(Deserialize)]
struct Failure {
    #[serde(default)]
    error: String,
}

impl HostVolumePlugin for Executable {
    fn fingerprint(&self) -> Result<String, PluginError> {
        let failed = || format!("error fingerprinting plugin {:?}", self.id);
        let run = self
            .run("fingerprint", &[], FINGERPRINT_MAX)
            .map_err(|error| PluginError::io(&failed(), &error))?;
        if let Some(status) = run.failure {
            return Err(PluginError::Failed(format!("{}: {status}", failed())));
        }
        let found: Fingerprint = serde_json::from_slice(&run.stdout).map_err(|error| {
            PluginError::Failed(format!("error parsing fingerprint output as json: {error}"))
        })?;
        // The version becomes an attribute of the node, which clients print on one line.
        if found.version.len() > VERSION_MAX || found.version.contains(char::is_control) {
            return Err(PluginError::Failed(format!(
                "plugin {:?} returned a version that is no line of at most {VERSION_MAX} bytes",
                self.id
            )));
        }
        Ok(found.version)
    }

    fn create(&self, request: &HostVolumeRequest) -> Result<CreatedPath, PluginError> {
        let capacity = [
            ("DHV_CAPACITY_MIN_BYTES", request.capacity_min.to_string()),
            ("DHV_CAPACITY_MAX_BYTES", request.capacity_max.to_string()),
        ];
        let run = self.operate("create", request, &capacity)?;
        if let Some(status) = run.failure {
            let mut text = format!("{}: {status}", self.failed("create", request));
            // A plugin that fails without JSON is reported by its exit status alone.
            if let Ok(failure) = serde_json::from_slice::<Failure>(&run.stdout) {
                let _ = write!(text, ": {}", failure.error);
            }
            return Err(PluginError::Failed(text));
        }
        let created: Created = serde_json::from_slice(&run.stdout)
            .map_err(|error| PluginError::Failed(error.to_string()))?;
        validate(created).map_err(|problem| {
            PluginError::Failed(format!("plugin {:?} returned {problem}", self.id))
        })
    }

    fn delete(&self, request: &HostVolumeRequest, path: &str) -> Result<(), PluginError> {
        let run = self.operate("delete", request, &[("DHV_CREATED_PATH", path.to_owned())])?;
        let Some(status) = run.failure else { return Ok(()) };
        let text = match serde_json::from_slice::<Failure>(&run.stdout) {
            Ok(failure) => {
                format!("{}: {status}: {}", self.failed("delete", request), failure.error)
            }
            Err(_) => format!(
                "error reading plugin response when deleting volume \"{}\" with plugin {:?}: \
                 original error: {status}",
                request.id, self.id
            ),
        };
        Err(PluginError::Failed(text))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const ID: &str = "d5eb3325-5d8c-4f2f-a94f-0c2cc2a2e8a7";

    /// A directory with a plugin `p` that runs `script`, and a runtime.
    struct Bench {
        dir: tempfile::TempDir,
        runtime: tokio::runtime::Runtime,
    }

    impl Bench {
        fn new(script: &str) -> Self {
            let dir = tempfile::tempdir().unwrap();
            fs::write(dir.path().join("script"), format!("#!/bin/sh\n{script}\n")).unwrap();
            // By another process: `exec` rejects a file that any process has open for writing, such as the child of
            // another thread.
            let mut copy = std::process::Command::new("/bin/sh");
            copy.args(["-c", "cat script > p && chmod 755 p"]).current_dir(dir.path());
            assert!(copy.status().unwrap().success());
            let runtime =
                tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
            Self { dir, runtime: runtime.unwrap() }
        }

        fn find(&self, id: &str) -> Result<Executable, PluginError> {
            let dir = self.dir.path();
            let running = watch::Sender::new(false).subscribe();
            Executable::find(id, dir, &dir.join("volumes"), self.runtime.handle(), running)
        }

        fn plugin(&self) -> Executable {
            self.find("p").unwrap()
        }
    }

    fn request() -> HostVolumeRequest {
        HostVolumeRequest {
            id: ID.parse().unwrap(),
            name: "data".into(),
            namespace: "prod".into(),
            node_id: ID.parse().unwrap(),
            node_pool: "default".into(),
            capacity_min: 1,
            capacity_max: 2,
            parameters: [("a".into(), "b \"c\"".into())].into(),
        }
    }

    #[test]
    fn a_fingerprint_returns_the_version() {
        let bench = Bench::new(r#"[ "$1" = "$DHV_OPERATION" ] && echo '{"version": "1.2"}'"#);
        assert_eq!(bench.plugin().fingerprint().unwrap(), "1.2");
    }

    #[test]
    fn the_environment_has_only_the_documented_variables() {
        let bench = Bench::new(
            r#"/usr/bin/env | /usr/bin/sort > "$DHV_PLUGIN_DIR/$1"
            echo '{"path": "/srv/x", "bytes": 7}'"#,
        );
        let created = bench.plugin().create(&request()).unwrap();
        assert_eq!(created, CreatedPath { path: "/srv/x".into(), bytes: 7 });
        bench.plugin().delete(&request(), "/srv/x").unwrap();
        let dir = bench.dir.path().display();
        let common = format!(
            "DHV_NAMESPACE=prod\nDHV_NODE_ID={ID}\nDHV_NODE_POOL=default\nDHV_OPERATION=%\n\
             DHV_PARAMETERS={{\"a\":\"b \\\"c\\\"\"}}\nDHV_PLUGIN_DIR={dir}\nDHV_VOLUMES_DIR={dir}/volumes\n\
             DHV_VOLUME_ID={ID}\nDHV_VOLUME_NAME=data\n"
        );
        let seen = |operation: &str| {
            let text = fs::read_to_string(bench.dir.path().join(operation)).unwrap();
            // The shell sets these.
            let own = ["PWD=", "SHLVL=", "_="];
            let lines = text.lines().filter(|line| !own.iter().any(|name| line.starts_with(name)));
            lines.fold(String::new(), |text, line| text + line + "\n")
        };
        let create = "DHV_CAPACITY_MAX_BYTES=2\nDHV_CAPACITY_MIN_BYTES=1\n".to_owned();
        assert_eq!(seen("create"), create + &common.replace('%', "create"));
        let delete = "DHV_CREATED_PATH=/srv/x\n".to_owned();
        assert_eq!(seen("delete"), delete + &common.replace('%', "delete"));
    }

    #[test]
    fn failures_include_the_message_of_the_plugin() {
        let bench = Bench::new(r#"echo '{"error": "disk full"}'; echo noise >&2; exit 1"#);
        let plugin = bench.plugin();
        assert_eq!(
            plugin.create(&request()).unwrap_err().to_string(),
            format!("error creating volume \"{ID}\" with plugin \"p\": exit status 1: disk full")
        );
        assert_eq!(
            plugin.delete(&request(), "").unwrap_err().to_string(),
            format!("error deleting volume \"{ID}\" with plugin \"p\": exit status 1: disk full")
        );
        assert_eq!(
            plugin.fingerprint().unwrap_err().to_string(),
            "error fingerprinting plugin \"p\": exit status 1"
        );
    }

    #[test]
    fn failures_without_json_include_the_exit_status() {
        let bench = Bench::new("echo no json; exit 3");
        let plugin = bench.plugin();
        assert_eq!(
            plugin.create(&request()).unwrap_err().to_string(),
            format!("error creating volume \"{ID}\" with plugin \"p\": exit status 3")
        );
        assert_eq!(
            plugin.delete(&request(), "").unwrap_err().to_string(),
            format!(
                "error reading plugin response when deleting volume \"{ID}\" with plugin \"p\": \
                 original error: exit status 3"
            )
        );
    }

    #[test]
    fn a_success_without_json_is_an_error() {
        let bench = Bench::new("echo no json");
        assert!(bench.plugin().create(&request()).is_err());
        let error = bench.plugin().fingerprint().unwrap_err().to_string();
        assert!(error.starts_with("error parsing fingerprint output as json: "), "{error}");
    }

    #[test]
    fn a_plugin_that_hangs_is_killed() {
        let bench = Bench::new("exec /bin/sleep 1000");
        let plugin = bench.plugin().operation_max(Duration::ZERO);
        let error = plugin.create(&request()).unwrap_err().to_string();
        assert_eq!(
            error,
            format!(
                "error creating volume \"{ID}\" with plugin \"p\": \
                 killed after 0 s without an answer"
            )
        );
    }

    #[test]
    fn the_children_of_a_plugin_that_hangs_are_killed() {
        let bench = Bench::new(r#"/bin/sleep 1000 & echo $! > "$DHV_PLUGIN_DIR/pid"; wait"#);
        let plugin = bench.plugin().operation_max(Duration::from_secs(1));
        let error = plugin.create(&request()).unwrap_err();
        assert!(matches!(error, PluginError::Hung(_)), "{error:?}");
        let pid = fs::read_to_string(bench.dir.path().join("pid")).unwrap();
        let stat = format!("/proc/{}/stat", pid.trim());
        let lives = || fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z "));
        let patient_until = std::time::Instant::now() + Duration::from_secs(60);
        while lives() {
            assert!(std::time::Instant::now() < patient_until, "the child is still alive");
        }
    }

    #[test]
    fn a_size_may_be_absent_or_null() {
        for size in ["", r#", "bytes": null"#] {
            let bench = Bench::new(&format!("echo '{{\"path\": \"/srv/x\"{size}}}'"));
            assert_eq!(bench.plugin().create(&request()).unwrap().bytes, 0);
        }
    }

    #[test]
    fn an_invalid_result_is_an_error() {
        for (answer, problem) in [
            (r#"{"path": "../../etc", "bytes": -5}"#, "not absolute"),
            (r#"{"path": "/srv/../etc", "bytes": 5}"#, "not absolute"),
            (r#"{"path": "", "bytes": 5}"#, "not absolute"),
            (r#"{"path": "/srv/x", "bytes": -5}"#, "a size of -5 bytes"),
        ] {
            let bench = Bench::new(&format!("echo '{answer}'"));
            let error = bench.plugin().create(&request()).unwrap_err().to_string();
            assert!(error.contains(problem), "{answer}: {error}");
        }
        let bench = Bench::new(r#"echo '{"version": "1\n2"}'"#);
        assert!(bench.plugin().fingerprint().is_err());
    }

    #[test]
    fn endless_output_is_truncated() {
        let bench = Bench::new("/usr/bin/head -c 10000000 /dev/zero");
        assert!(bench.plugin().create(&request()).is_err());
    }

    #[test]
    fn only_executables_in_the_directory_are_found() {
        let bench = Bench::new("");
        fs::create_dir(bench.dir.path().join("sub")).unwrap();
        fs::write(bench.dir.path().join("text"), "").unwrap();
        for id in ["", ".", "..", "../p", "/bin/sh", "sub", "sub/p", "p/", "none"] {
            let error = bench.find(id).unwrap_err().to_string();
            assert_eq!(error, format!("no such plugin: {id:?}"));
        }
        let error = bench.find("text").unwrap_err().to_string();
        assert_eq!(error, "plugin not executable: \"text\"");
    }
}
