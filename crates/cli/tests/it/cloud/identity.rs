//! An identity service for tests, which validates the tokens that a test registers.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::sync::watch;

/// A service on loopback. Dropping it stops it.
pub(crate) struct Identity {
    address: SocketAddr,
    shared: Arc<Shared>,
    hold: watch::Sender<bool>,
    runtime: Option<Runtime>,
}

struct Shared {
    tokens: Mutex<HashMap<String, Value>>,
    /// Every token that was validated, in order.
    asked: Mutex<Vec<String>>,
    held: watch::Receiver<bool>,
}

/// An expiry that no test reaches.
pub(crate) const FAR: &str = "2100-01-01T00:00:00.000000Z";

impl Identity {
    pub(crate) fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let (hold, held) = watch::channel(false);
        let (tokens, asked) = (Mutex::default(), Mutex::default());
        let shared = Arc::new(Shared { tokens, asked, held });
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let router = axum::Router::new()
            .route("/v3/auth/tokens", axum::routing::get(answer))
            .with_state(Arc::clone(&shared));
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self { address, shared, hold, runtime: Some(runtime) }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Registers a token of a user who has the name of its project.
    pub(crate) fn know(&self, token: &str, project: &str, roles: &[&str], expires: &str) {
        let roles: Vec<Value> = roles.iter().map(|name| json!({"id": "r", "name": name})).collect();
        let body = json!({"token": {
            "methods": ["password"],
            "user": {"id": format!("user-of-{project}"), "name": "n", "domain": {"id": "default"}},
            "project": {"id": project, "name": "n", "domain": {"id": "default"}},
            "roles": roles,
            "issued_at": "2026-11-21T00:00:00.000000Z",
            "expires_at": expires,
        }});
        self.shared.tokens.lock().unwrap().insert(token.to_owned(), body);
    }

    /// Like [`know`](Self::know), for a user with an ID.
    pub(crate) fn know_user(&self, token: &str, (user, project): (&str, &str), roles: &[&str]) {
        self.know(token, project, roles, FAR);
        let mut tokens = self.shared.tokens.lock().unwrap();
        tokens.get_mut(token).unwrap()["token"]["user"]["id"] = user.into();
    }

    /// Returns how often a token was validated.
    pub(crate) fn asked(&self, token: &str) -> usize {
        self.shared.asked.lock().unwrap().iter().filter(|asked| *asked == token).count()
    }

    /// Delays all validations while `hold` is true.
    pub(crate) fn hold(&self, hold: bool) {
        self.hold.send_replace(hold);
    }

    /// Closes the port: no validation is answered any more.
    pub(crate) fn stop(&mut self) {
        drop(self.runtime.take());
    }
}

async fn answer(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let (Some(own), Some(subject)) = (text("x-auth-token"), text("x-subject-token")) else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    shared.asked.lock().unwrap().push(subject.to_owned());
    let _ = shared.held.clone().wait_for(|held| !held).await;
    let tokens = shared.tokens.lock().unwrap();
    if !tokens.contains_key(own) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    match tokens.get(subject) {
        Some(body) => axum::response::Response::new(body.to_string().into()),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
