//! How the server starts, obeys signals and stops, and how the commands treat a closed standard output.

use std::fs;
use std::io::{BufRead as _, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::common::{Server, command, eventually};
use serde_json::{Value, json};

/// The SHA-256 of the token `root`.
const ROOT: &str = "4813494d137e1631bba301d5acab6e7bb7aa74ce1185d456565ef51d737677b2";

fn signal(server: &Server, name: &str) {
    let sent = Command::new("kill").args([name, &server.id().to_string()]).status();
    assert!(sent.unwrap().success());
}

fn program(path: &Path, script: &str) {
    fs::write(path, format!("#!/bin/sh\n{script}")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn status(server: &Server) -> Value {
    server.get("/statehold/v1/status").ok().json()
}

/// Volumes of a plugin whose runs wait for the file `go`, once the file `wait` exists.
struct Slow {
    dir: tempfile::TempDir,
    ids: Vec<String>,
    rows: Vec<Value>,
}

impl Slow {
    /// Creates `volumes` volumes, and blocks further runs of the plugin.
    fn with(volumes: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let plugins = dir.path().join("plugins");
        fs::create_dir(&plugins).unwrap();
        // Once `wait` exists, each run records its start, and ends when `go` exists.
        let script = r#"case $1 in
            fingerprint) echo '{"version": "1"}';;
            create)
                d="$DHV_VOLUMES_DIR/p-$DHV_VOLUME_ID"; /bin/mkdir -p "$d"
                if [ -e "$DHV_PLUGIN_DIR/../wait" ]; then
                    : > "$DHV_PLUGIN_DIR/../began-$DHV_VOLUME_ID"
                    while [ ! -e "$DHV_PLUGIN_DIR/../go" ]; do /bin/sleep 0.05; done
                fi
                echo "{\"path\": \"$d\", \"bytes\": 1}";;
            esac
        "#;
        program(&plugins.join("slow"), script);
        let mut slow = Self { dir, ids: Vec::new(), rows: Vec::new() };
        let server = slow.start();
        for number in 0..volumes {
            let volume = json!({ "Name": format!("v{number}"), "PluginID": "slow" });
            let reply = server.put("/v1/volume/host/create", &json!({ "Volume": volume })).ok();
            slow.ids.push(reply.json()["Volume"]["ID"].as_str().unwrap().to_owned());
        }
        slow.ids.sort();
        slow.rows = slow.listed(&server);
        server.kill();
        slow.touch("wait");
        slow
    }

    fn start(&self) -> Server {
        let plugins = self.dir.path().join("plugins");
        let mut command = command(&self.dir.path().join("data"));
        Server::spawn(command.arg("--host-volume-plugin-dir").arg(plugins))
    }

    fn listed(&self, server: &Server) -> Vec<Value> {
        let list = server.get("/v1/volumes?type=host").ok().json();
        let own = |row: &&Value| self.ids.iter().any(|id| row["ID"] == **id);
        list.as_array().unwrap().iter().filter(own).cloned().collect()
    }

    fn touch(&self, name: &str) {
        fs::write(self.dir.path().join(name), "").unwrap();
    }

    /// Returns the number of runs that began since `wait` exists.
    fn began(&self) -> usize {
        let began = |id: &&String| self.dir.path().join(format!("began-{id}")).exists();
        self.ids.iter().filter(began).count()
    }

    /// Returns whether a run of the plugin is still in progress.
    fn runs(&self) -> bool {
        let plugin = self.dir.path().join("plugins/slow");
        let plugin = plugin.as_os_str().as_encoded_bytes();
        fs::read_dir("/proc").unwrap().any(|process| {
            // A process may exit between the listing and the read.
            let line = fs::read(process.unwrap().path().join("cmdline")).unwrap_or_default();
            line.windows(plugin.len()).any(|part| part == plugin)
        })
    }
}

#[test]
fn a_server_listens_while_slow_plugins_restore_volumes_together() {
    const VOLUMES: usize = 6;
    let slow = Slow::with(VOLUMES);
    let server = slow.start();
    let restoring = status(&server);
    assert_eq!(
        (&restoring["HostVolumesRestoring"], &restoring["HostVolumesRestoringIDs"]),
        (&json!(VOLUMES), &json!(slow.ids))
    );
    assert!(server.get("/metrics").ok().body.contains("statehold_host_volumes_restoring 6"));
    eventually(|| slow.began() == VOLUMES);
    assert_eq!(status(&server)["HostVolumesRestoring"], VOLUMES, "none has ended");
    // Another plugin's volumes are not delayed.
    server.put("/v1/volume/host/create", &json!({ "Volume": { "Name": "other" } })).ok();
    slow.touch("go");
    eventually(|| status(&server)["HostVolumesRestoring"] == 0);
    assert_eq!(slow.listed(&server), slow.rows, "a restart changes no row");
}

#[test]
fn a_stop_ends_plugins_that_restore_and_leaves_their_rows() {
    let slow = Slow::with(3);
    let server = slow.start();
    eventually(|| slow.began() == 3 && slow.runs());
    signal(&server, "-TERM");
    assert!(server.wait().success());
    eventually(|| !slow.runs());
    // The plugin still waits, so the rows are those that the stop left.
    let server = slow.start();
    assert_eq!(slow.listed(&server), slow.rows);
    slow.touch("go");
    eventually(|| status(&server)["HostVolumesRestoring"] == 0);
    assert_eq!(slow.listed(&server), slow.rows);
}

#[test]
fn a_closed_standard_output_stops_no_server() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = command(dir.path())
        .args(["--log-format", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut lines = std::io::BufReader::new(child.stderr.take().unwrap()).lines();
    let serving = lines.find(|line| line.as_ref().unwrap().contains("\"serving\"")).unwrap();
    let line: Value = serde_json::from_str(&serving.unwrap()).unwrap();
    std::net::TcpStream::connect(line["address"].as_str().unwrap()).unwrap();
    let stop = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
    assert!(stop.unwrap().success());
    assert!(child.wait().unwrap().success());
}

#[test]
fn signals_that_stop_drain_and_others_do_not_end_the_server() {
    for name in ["-TERM", "-INT", "-QUIT"] {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::start(dir.path());
        server.feed_plugin();
        let since = server.get("/v1/plugins?type=csi").ok().index.unwrap();
        std::thread::scope(|scope| {
            let waits = scope
                .spawn(|| server.get(&format!("/v1/plugins?type=csi&index={since}&wait=10m")).ok());
            server.wait_until_parked(1);
            signal(&server, "-HUP");
            signal(&server, "-USR1");
            server.wait_until_parked(1);
            signal(&server, name);
            assert_eq!(waits.join().unwrap().index, Some(since), "{name}");
        });
        assert!(server.wait().success(), "{name}");
    }
}

#[test]
fn a_report_is_logged_on_request() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Server::spawn_with_stderr(&mut command(dir.path()), Stdio::piped());
    let lines = server.stderr().lines();
    signal(&server, "-USR1");
    let report = lines.map(Result::unwrap).find(|line| line.contains("uptime_seconds"));
    assert!(report.unwrap().contains("writable=true"));
}

fn acl(tokens: &[&str]) -> String {
    let tokens: Vec<String> = tokens
        .iter()
        .map(|more| {
            format!("[[token]]\nname = \"t\"\nsha256 = \"{ROOT}\"\nmanagement = true\n{more}\n")
        })
        .collect();
    tokens.join("\n")
}

fn get(server: &Server, path: &str) -> (u16, String) {
    let mut reply = server.send_with("GET", path, &[("X-Nomad-Token", "root")], None);
    (reply.status().as_u16(), reply.body_mut().read_to_string().unwrap())
}

#[test]
fn a_reload_revokes_tokens_and_a_bad_file_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (file, level) = (dir.path().join("acl.toml"), dir.path().join("level"));
    fs::write(&file, acl(&[""])).unwrap();
    fs::write(&level, "info\n").unwrap();
    let mut command = command(&dir.path().join("data"));
    command.arg("--acl").arg(&file).arg("--log-level-file").arg(&level);
    let mut server = Server::spawn_with_stderr(&mut command, Stdio::piped());
    let mut lines = server.stderr().lines().map(Result::unwrap);
    let mut logged = |text: &str| lines.find(|line| line.contains(text)).is_some();
    let path = "/v1/namespaces";
    assert_eq!(get(&server, path).0, 200);

    fs::write(&file, "[[token]").unwrap();
    fs::write(&level, "loud").unwrap();
    signal(&server, "-HUP");
    assert!(logged("the ACL stays as it was") && logged("the log level stays as it was"));
    assert_eq!(get(&server, path).0, 200);

    fs::write(&level, "debug").unwrap();
    fs::write(&file, "").unwrap();
    let mut index = server.send_with("GET", path, &[("X-Nomad-Token", "root")], None);
    let since = index.headers()["X-Nomad-Index"].to_str().unwrap().to_owned();
    let _ = index.body_mut().read_to_string();
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| get(&server, &format!("{path}?index={since}&wait=10m")));
        let parked = || get(&server, "/statehold/v1/status").1.contains("\"Parked\":1");
        eventually(parked);
        signal(&server, "-HUP");
        assert!(logged("reloaded the ACL file") && logged("reloaded the log level"));
        assert_eq!(get(&server, path), (403, "ACL token not found".to_owned()));
        // The reload answers the query long before its wait ends.
        assert_eq!(waits.join().unwrap().0, 403, "a request that waited is refused as well");
    });
}

#[test]
fn a_reload_wakes_no_query_of_an_unchanged_token() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("acl.toml");
    let other = "[[token]]\nname = \"o\"\nmanagement = true\n\
        sha256 = \"d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa\"\n";
    fs::write(&file, acl(&[""]) + other).unwrap();
    let mut command = command(&dir.path().join("data"));
    command.arg("--acl").arg(&file);
    let mut server = Server::spawn_with_stderr(&mut command, Stdio::piped());
    let mut lines = server.stderr().lines().map(Result::unwrap);
    let reply = server.send_with("GET", "/v1/namespaces", &[("X-Nomad-Token", "root")], None);
    let since = reply.headers()["X-Nomad-Index"].to_str().unwrap().to_owned();
    drop(reply);
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| get(&server, &format!("/v1/namespaces?index={since}&wait=10m")));
        eventually(|| get(&server, "/statehold/v1/status").1.contains("\"Parked\":1"));
        fs::write(&file, acl(&[""])).unwrap();
        signal(&server, "-HUP");
        assert!(lines.any(|line| line.contains("reloaded the ACL file")));
        let body = json!({ "Name": "more" }).to_string();
        let token = [("X-Nomad-Token", "root")];
        let written = server.send_with("PUT", "/v1/namespace", &token, Some(body.as_bytes()));
        assert_eq!(written.status(), 200);
        let (status, list) = waits.join().unwrap();
        assert!(status == 200 && list.contains("more"), "{status} {list}");
    });
}

#[test]
fn a_token_that_expires_while_its_query_waits_gets_no_data() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("acl.toml");
    let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(3);
    fs::write(&file, acl(&[&format!("expires = {soon:.0}")])).unwrap();
    let data = dir.path().join("data");
    let server = Server::spawn(command(&data).arg("--acl").arg(&file));
    let mut reply = server.send_with("GET", "/v1/namespaces", &[("X-Nomad-Token", "root")], None);
    assert_eq!(reply.status(), 200, "it is good for a while");
    let index = reply.headers()["X-Nomad-Index"].to_str().unwrap().to_owned();
    let _ = reply.body_mut().read_to_string();
    // The expiry answers the query long before its wait ends.
    let waited = get(&server, &format!("/v1/namespaces?index={index}&wait=10m"));
    assert_eq!(waited, (403, "ACL token expired".to_owned()));
}

#[test]
fn an_unread_standard_error_stops_no_request() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = command(dir.path());
    command.args(["--log-level", "trace"]);
    // Nothing reads the pipe, whose buffer holds 64 KiB.
    let mut server = Server::spawn_with_stderr(&mut command, Stdio::piped());
    let unread = server.stderr();
    for _ in 0..2_000 {
        server.get("/v1/namespaces").ok();
    }
    drop(unread);
    signal(&server, "-TERM");
    assert!(server.wait().success());
}

#[test]
fn a_result_that_standard_output_can_not_take_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.feed_plugin();
    server.kill();
    let run = |command: &str, to: &str| {
        let script = format!("echo '{{\"a\": 1}}' | \"$0\" {command} {to}");
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", &script, env!("CARGO_BIN_EXE_statehold")]).arg(dir.path());
        let mut child = shell.stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = String::new();
        child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        (child.wait().unwrap().success(), stderr)
    };
    for command in ["dump \"$1\"", "inspect \"$1\"", "verify \"$1\"", "filter 'a == 1'"] {
        let (closed, stderr) = run(command, ">&-");
        assert!(!closed && stderr.contains("standard output is closed"), "{command}: {stderr}");
        let (full, stderr) = run(command, "> /dev/full");
        assert!(!full && stderr.contains("No space left"), "{command}: {stderr}");
        assert!(run(command, "> /dev/null").0, "{command}");
        // Programs start children like this to discard all their output.
        assert!(run(command, "1<>/dev/null 2>&1").0, "{command}");
    }
}
