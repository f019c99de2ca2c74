//! The real program with two back ends, and calls as stock clients send them.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

pub(crate) struct Cloud {
    child: Child,
    pub(crate) url: String,
    agent: ureq::Agent,
}

impl Drop for Cloud {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Cloud {
    pub(crate) fn start(dir: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_statehold"));
        command.args(["serve", "--bind", "127.0.0.1:0", "--block-storage", "127.0.0.1:0"]);
        command.arg("--data-dir").arg(dir.join("data"));
        for name in ["a", "b"] {
            command.arg("--backend").arg(format!("{name}={}", dir.join(name).display()));
        }
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.next().unwrap().unwrap().starts_with("statehold: listening on "));
        let line = lines.next().unwrap().unwrap();
        let url = line.strip_prefix("statehold: block storage on ").unwrap().to_owned();
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(60)))
            .build()
            .into();
        Self { child, url, agent }
    }

    /// Kills the program in the middle of what it does, and starts it again.
    pub(crate) fn restart(self, dir: &Path) -> Self {
        drop(self);
        Self::start(dir)
    }

    /// A call in a version; its status and body.
    pub(crate) fn call_in(
        &self,
        minor: u16,
        method: &str,
        path: &str,
        body: &Value,
    ) -> (u16, Value) {
        let body = if body.is_null() { Vec::new() } else { serde_json::to_vec(body).unwrap() };
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}/v3/p1{path}", self.url))
            .header("x-auth-token", "u1:p1")
            .header("content-type", "application/json")
            .header("openstack-api-version", format!("volume 3.{minor}"));
        let mut response = self.agent.run(request.body(body).unwrap()).unwrap();
        let text = response.body_mut().read_to_string().unwrap();
        let body = if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() };
        (response.status().as_u16(), body)
    }

    #[track_caller]
    pub(crate) fn expect(&self, status: u16, method: &str, path: &str, body: &Value) -> Value {
        let (own, answer) = self.call_in(70, method, path, body);
        assert_eq!(own, status, "{method} {path}: {answer}");
        answer
    }

    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Value {
        self.expect(200, "GET", path, &Value::Null)
    }

    /// What is said when something is refused.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, method: &str, path: &str, body: &Value) -> String {
        let answer = self.expect(status, method, path, body);
        let inner = answer.as_object().unwrap().values().next().unwrap();
        inner["message"].as_str().unwrap().to_owned()
    }

    /// Makes something; its ID.
    #[track_caller]
    pub(crate) fn create(&self, path: &str, body: &Value) -> String {
        let made = self.expect(202, "POST", path, body);
        made.as_object().unwrap().values().next().unwrap()["id"].as_str().unwrap().to_owned()
    }

    /// Waits until something has a status; 404 is the status of what is gone.
    #[track_caller]
    pub(crate) fn wait(&self, path: &str, status: &str) -> Value {
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            let (_, json) = self.call_in(70, "GET", path, &Value::Null);
            let row = json.as_object().unwrap().values().next().unwrap().clone();
            let own = row["status"].as_str().unwrap_or("404").to_owned();
            if own == status {
                return row;
            }
            assert!(Instant::now() < until, "{path} is {own}, not {status}: {json}");
            std::thread::yield_now();
        }
    }
}
