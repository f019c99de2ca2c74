//! Parses query parameters by the rules of Nomad's HTTP API: the first of repeated values counts, unknown parameters
//! are ignored, and the order of the checks decides which of two errors is reported.
// Nomad: command/agent/http.go, HTTPServer.parse.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::Uri;
use statehold_nomad::DEFAULT_NAMESPACE;
use statehold_store::Order;

use crate::error::ApiError;
use statehold_server_core::duration;

/// The wait of a blocking query without `wait`.
// Nomad: nomad/structs/structs.go, DefaultBlockingRPCQueryTime.
pub(crate) const WAIT_DEFAULT: Duration = Duration::from_secs(300);

/// Maximum wait of a blocking query, before jitter.
// Nomad's documentation promises 10 minutes. Its code waits at most 5: nomad/structs/structs.go,
// MaxBlockingRPCQueryTime.
pub(crate) const WAIT_MAX: Duration = Duration::from_secs(600);

/// The decoded query string.
#[derive(Clone, Debug)]
pub(crate) struct Query(Arc<[(String, String)]>);

impl Query {
    pub(crate) fn of(uri: &Uri) -> Self {
        let raw = uri.query().unwrap_or_default();
        Self(form_urlencoded::parse(raw.as_bytes()).into_owned().collect())
    }

    /// Returns the bytes that the parameters hold.
    pub(crate) fn bytes(&self) -> usize {
        let own = size_of::<(String, String)>();
        self.0.iter().map(|(name, value)| own + name.capacity() + value.capacity()).sum()
    }

    /// Returns the first value of a parameter, which may be empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Returns the value of a parameter, unless it is absent or empty.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// Returns whether replies are indented: for any value but `0`, including an empty one.
    // Nomad: command/agent/http.go, HTTPServer.wrap.
    pub(crate) fn pretty(&self) -> bool {
        self.get("pretty").is_some_and(|value| value != "0")
    }

    /// Returns the namespace of the query, or else the default one.
    // Nomad: command/agent/http.go, parseNamespace.
    pub(crate) fn namespace(&self) -> &str {
        self.text("namespace").unwrap_or(DEFAULT_NAMESPACE)
    }

    /// Returns the namespace of the query, or else that of the body, or else the default one.
    pub(crate) fn namespace_or<'a>(&'a self, body: &'a str) -> &'a str {
        let own = Some(body).filter(|body| !body.is_empty());
        self.text("namespace").or(own).unwrap_or(DEFAULT_NAMESPACE)
    }

    /// Returns the value of a boolean; `false` if it is absent or empty.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, ApiError> {
        match self.text(name) {
            None => Ok(false),
            Some(value) => parse_bool(value)
                .ok_or_else(|| ApiError::bad_request(format!("invalid {name} value"))),
        }
    }
}

/// Parses the spellings of a boolean that Go's `strconv.ParseBool` accepts.
fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

/// The parameters of every read.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) query: Query,
    /// The namespace; `*` for all, where a list supports it.
    pub(crate) namespace: String,
    /// Maximum rows of a page; `None` for all.
    pub(crate) per_page: Option<usize>,
    pub(crate) order: Order,
    /// The read waits until its index is greater; 0 never waits.
    pub(crate) min_index: u64,
    pub(crate) wait: Duration,
}

impl Read {
    pub(crate) fn of(query: &Query) -> Result<Self, ApiError> {
        if query.text("stale").is_some_and(|value| parse_bool(value).is_none()) {
            return Err(ApiError::bad_request(
                "Expect `true` or `false` for `stale` query string parameter",
            ));
        }
        let per_page = per_page(query)?;
        // Nomad: command/agent/http.go, parseReverse: any other value is false.
        let order = match query.get("reverse") {
            Some("true") => Order::Descending,
            _ => Order::Ascending,
        };
        let wait = wait(query)?;
        let min_index = match query.text("index") {
            None => 0,
            Some(text) => unsigned(text).ok_or_else(|| ApiError::bad_request("Invalid index"))?,
        };
        let namespace = query.namespace().to_owned();
        Ok(Self { query: query.clone(), namespace, per_page, order, min_index, wait })
    }
}

/// Parses a decimal number without a sign, like Go's `strconv.ParseUint`.
fn unsigned<N: FromStr>(text: &str) -> Option<N> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// Returns the maximum number of rows of a page; `None` for all.
// Nomad: command/agent/http.go, parsePagination, which accepts negative numbers and then returns no rows.
pub(crate) fn per_page(query: &Query) -> Result<Option<usize>, ApiError> {
    let Some(text) = query.text("per_page") else { return Ok(None) };
    // 32 bits, because Nomad's `PerPage` is an `int32`.
    let number: i32 = text.parse().map_err(|_| {
        ApiError::bad_request("Expect a number for `per_page` query string parameter")
    })?;
    match usize::try_from(number) {
        Ok(0) => Ok(None),
        Ok(rows) => Ok(Some(rows)),
        Err(_) => Err(ApiError::bad_request(
            "Expect a number of at least 0 for `per_page` query string parameter",
        )),
    }
}

fn wait(query: &Query) -> Result<Duration, ApiError> {
    let Some(text) = query.text("wait") else { return Ok(WAIT_DEFAULT) };
    match duration::parse(text) {
        // Nomad: command/agent/http.go, parseWait.
        None => Err(ApiError::bad_request("Invalid wait time")),
        Some(Duration::ZERO) => Ok(WAIT_DEFAULT),
        Some(wait) => Ok(wait.min(WAIT_MAX)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<Read, String> {
        let uri: Uri = format!("/v1/volumes?{query}").parse().unwrap();
        Read::of(&Query::of(&uri)).map_err(|reject| reject.message().to_owned())
    }

    #[test]
    fn the_first_of_repeated_values_counts() {
        assert_eq!(read("per_page=2&per_page=x").unwrap().per_page, Some(2));
    }

    #[test]
    fn waits_are_go_durations_with_a_default_and_a_maximum() {
        for (text, seconds) in [
            ("", 300.0),
            ("wait=", 300.0),
            ("wait=0", 300.0),
            ("wait=-5s", 300.0),
            ("wait=5000ms", 5.0),
            ("wait=1.5s", 1.5),
            ("wait=1h30m", 600.0),
            ("wait=10m", 600.0),
        ] {
            let wait = read(text).unwrap().wait;
            assert!((wait.as_secs_f64() - seconds).abs() < 1e-9, "{text}: {wait:?}");
        }
        assert_eq!(read("wait=10").unwrap_err(), "Invalid wait time");
        assert_eq!(read("wait=soon&index=x").unwrap_err(), "Invalid wait time");
    }

    #[test]
    fn indexes_are_plain_decimal_numbers() {
        assert_eq!(read("index=7").unwrap().min_index, 7);
        for bad in ["+7", "-1", "x", "1.0", "99999999999999999999"] {
            let query = format!("index={}", bad.replace('+', "%2B"));
            assert_eq!(read(&query).unwrap_err(), "Invalid index");
        }
    }

    #[test]
    fn only_the_word_true_reverses() {
        assert_eq!(read("reverse=true").unwrap().order, Order::Descending);
        assert_eq!(read("reverse=1").unwrap().order, Order::Ascending);
    }

    #[test]
    fn pretty_is_any_value_but_zero() {
        for (query, pretty) in
            [("", false), ("pretty", true), ("pretty=false", true), ("pretty=0", false)]
        {
            assert_eq!(read(query).unwrap().query.pretty(), pretty, "{query}");
        }
    }

    #[test]
    fn a_negative_page_size_is_refused() {
        assert!(read("per_page=-1").unwrap_err().contains("at least 0"));
        assert!(read("per_page=many").unwrap_err().starts_with("Expect a number"));
        assert_eq!(read("per_page=0").unwrap().per_page, None);
    }
}
