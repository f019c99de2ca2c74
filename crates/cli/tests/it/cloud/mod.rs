//! The real binary with its Block Storage API, and an identity service that stands in for Keystone.

pub(crate) mod identity;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// A running `statehold serve --block-storage` with the back ends `a` and `b`. Dropping it kills it.
pub(crate) struct Cloud {
    pub(crate) child: Child,
    pub(crate) url: String,
    nomad: Option<String>,
    agent: ureq::Agent,
}

pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: ureq::http::HeaderMap,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Maximum wait of a test; longer than any of them needs on a slow machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const JSON: (&str, &str) = ("content-type", "application/json");
pub(crate) const TOKEN: (&str, &str) = ("x-auth-token", "u1:p1");
pub(crate) const LATEST: (&str, &str) = ("openstack-api-version", "volume 3.70");

impl Cloud {
    pub(crate) fn start(dir: &Path) -> Self {
        Self::start_with(dir, &[])
    }

    /// Like [`start`](Self::start), with more arguments.
    pub(crate) fn start_with(dir: &Path, arguments: &[&str]) -> Self {
        Self::run(dir, &[&["--bind", "127.0.0.1:0"], arguments].concat(), Stdio::null())
    }

    /// Starts a server that logs to a file.
    pub(crate) fn start_logged(dir: &Path, arguments: &[&str], log: &Path) -> Self {
        let log = std::fs::File::create(log).unwrap();
        Self::run(dir, &[&["--bind", "127.0.0.1:0"], arguments].concat(), log.into())
    }

    /// Starts a server without Nomad's API.
    pub(crate) fn start_alone(dir: &Path) -> Self {
        Self::run(dir, &["--no-nomad"], Stdio::null())
    }

    fn run(dir: &Path, arguments: &[&str], log: Stdio) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_statehold"));
        command.args(["serve", "--block-storage", "127.0.0.1:0"]).args(arguments);
        command.arg("--data-dir").arg(dir.join("data"));
        for name in ["a", "b"] {
            command.arg("--backend").arg(format!("{name}={}", dir.join(name).display()));
        }
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let nomad = (!arguments.contains(&"--no-nomad")).then(|| {
            let line = lines.next().unwrap();
            line.strip_prefix("statehold: listening on ").unwrap().to_owned()
        });
        let line = lines.next().unwrap();
        let url = line.strip_prefix("statehold: block storage on ").unwrap().to_owned();
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(PATIENCE))
            .build()
            .into();
        Self { child, url, nomad, agent }
    }

    /// Returns the address of Nomad's API.
    pub(crate) fn nomad(&self) -> &str {
        self.nomad.as_deref().unwrap()
    }

    /// Kills the server, and starts one with other arguments.
    pub(crate) fn restart(&mut self, dir: &Path, arguments: &[&str]) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        *self = Self::start_with(dir, arguments);
    }

    /// Like [`restart`](Self::restart), without Nomad's API.
    pub(crate) fn restart_alone(&mut self, dir: &Path) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        *self = Self::start_alone(dir);
    }

    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        body: &[u8],
        headers: &[(&str, &str)],
    ) -> Reply {
        self.try_send(method, path, body, headers).unwrap()
    }

    /// Like [`send`](Self::send), but returns the error of a server that is killed meanwhile.
    pub(crate) fn try_send(
        &self,
        method: &str,
        path: &str,
        body: &[u8],
        headers: &[(&str, &str)],
    ) -> Result<Reply, ureq::Error> {
        let mut request =
            ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut response = self.agent.run(request.body(body).unwrap())?;
        Ok(Reply {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response.body_mut().read_to_string()?,
        })
    }

    /// Sends a request with the headers of stock clients.
    pub(crate) fn call(&self, method: &str, path: &str, body: &Value) -> Reply {
        let body = if body.is_null() { Vec::new() } else { serde_json::to_vec(body).unwrap() };
        self.send(method, &format!("/v3/p1{path}"), &body, &[JSON, TOKEN, LATEST])
    }

    #[track_caller]
    pub(crate) fn expect(&self, status: u16, method: &str, path: &str, body: &Value) -> Value {
        let reply = self.call(method, path, body);
        assert_eq!(reply.status, status, "{method} {path}: {}", reply.body);
        if reply.body.is_empty() { Value::Null } else { reply.json() }
    }

    /// Creates a resource, and returns its ID.
    #[track_caller]
    pub(crate) fn create(&self, path: &str, body: &Value) -> String {
        let created = self.expect(202, "POST", path, body);
        created.as_object().unwrap().values().next().unwrap()["id"].as_str().unwrap().to_owned()
    }

    /// Waits until a resource has a status, and returns its body. 404 is the status of a deleted one.
    #[track_caller]
    pub(crate) fn wait(&self, path: &str, status: &str) -> Value {
        let until = Instant::now() + PATIENCE;
        loop {
            let reply = self.call("GET", path, &Value::Null);
            let json = reply.json();
            let row = json.as_object().unwrap().values().next().unwrap().clone();
            let own = row["status"].as_str().unwrap_or("404").to_owned();
            if own == status {
                return row;
            }
            assert!(Instant::now() < until, "{path} is {own}, not {status}: {json}");
            std::thread::yield_now();
        }
    }
    /// Sends a request in an older version, and returns its status and body.
    pub(crate) fn call_in(
        &self,
        minor: u16,
        method: &str,
        path: &str,
        body: &Value,
    ) -> (u16, Value) {
        let body = if body.is_null() { Vec::new() } else { serde_json::to_vec(body).unwrap() };
        let version = format!("volume 3.{minor}");
        let headers = [JSON, TOKEN, ("openstack-api-version", &*version)];
        let reply = self.send(method, &format!("/v3/p1{path}"), &body, &headers);
        let answer = if reply.body.is_empty() { Value::Null } else { reply.json() };
        (reply.status, answer)
    }

    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Value {
        self.expect(200, "GET", path, &Value::Null)
    }

    /// Returns the message of a request that must be refused.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, method: &str, path: &str, body: &Value) -> String {
        let answer = self.expect(status, method, path, body);
        let inner = answer.as_object().unwrap().values().next().unwrap();
        inner["message"].as_str().unwrap().to_owned()
    }
}
