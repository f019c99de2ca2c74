//! Query parameters, by the rules of Nomad's HTTP API: the first of repeated values counts,
//! unknown ones are ignored, and which of two errors is told depends on the order of the checks.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::Uri;
use statehold_nomad::DEFAULT_NAMESPACE;
use statehold_store::Order;

use crate::error::ApiError;
use statehold_server_core::duration;

/// How long a blocking query waits when the client doesn't say.
pub(crate) const WAIT_DEFAULT: Duration = Duration::from_secs(300);

/// How long a blocking query waits at the most, before jitter.
pub(crate) const WAIT_MAX: Duration = Duration::from_secs(600);

/// The decoded query string.
#[derive(Clone, Debug)]
pub(crate) struct Query(Arc<[(String, String)]>);

impl Query {
    pub(crate) fn of(uri: &Uri) -> Self {
        let raw = uri.query().unwrap_or_default();
        Self(form_urlencoded::parse(raw.as_bytes()).into_owned().collect())
    }

    /// The bytes that it holds.
    pub(crate) fn bytes(&self) -> usize {
        let own = size_of::<(String, String)>();
        self.0.iter().map(|(name, value)| own + name.capacity() + value.capacity()).sum()
    }

    /// The first value of a parameter, which may be empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The value of a parameter unless it is absent or empty.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// Whether replies are indented: any value but `0`, an empty one included.
    pub(crate) fn pretty(&self) -> bool {
        self.get("pretty").is_some_and(|value| value != "0")
    }

    /// The namespace that a write names, or else the default one.
    pub(crate) fn namespace(&self) -> &str {
        self.text("namespace").unwrap_or(DEFAULT_NAMESPACE)
    }

    /// The namespace of a request whose body can name one too: the query's comes first.
    pub(crate) fn namespace_or<'a>(&'a self, body: &'a str) -> &'a str {
        let own = Some(body).filter(|body| !body.is_empty());
        self.text("namespace").or(own).unwrap_or(DEFAULT_NAMESPACE)
    }

    /// A parameter that is a boolean: absent and empty are false.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, ApiError> {
        match self.text(name) {
            None => Ok(false),
            Some(value) => parse_bool(value)
                .ok_or_else(|| ApiError::bad_request(format!("invalid {name} value"))),
        }
    }
}

/// The spellings of a boolean that Go's `strconv.ParseBool` takes.
fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

/// The parameters that every read takes.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) query: Query,
    /// The namespace, `*` for all where a listing supports it.
    pub(crate) namespace: String,
    /// Rows of a page; `None` for all.
    pub(crate) per_page: Option<usize>,
    pub(crate) order: Order,
    /// 0 for "do not block".
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

/// A decimal number without a sign.
fn unsigned<N: FromStr>(text: &str) -> Option<N> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// The rows of a page; none for all.
pub(crate) fn per_page(query: &Query) -> Result<Option<usize>, ApiError> {
    let Some(text) = query.text("per_page") else { return Ok(None) };
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
    fn waits_are_go_durations_with_a_default_and_a_cap() {
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
    fn pretty_is_anything_but_zero() {
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
