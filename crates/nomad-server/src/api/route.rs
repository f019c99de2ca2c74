//! What an endpoint is: its path, and for each operation the methods, what a caller must be allowed,
//! what it takes and gives, and what runs.
//!
//! The table of them is [`crate::api::routes::ROUTES`]. It is read by the dispatcher, which chooses what
//! runs and refuses what may not, by the metrics and by the OpenAPI document, so that none of them
//! can say something else than the others.

use std::pin::Pin;

use axum::http::{Method, StatusCode};
use statehold_filter::Schema;
use statehold_server_core::router::captures;

use crate::acl::access::Rule;
use crate::api::Reply;
use crate::api::parameter::Parameter;
use crate::error::ApiError;
use crate::request::NomadRequest;

/// What runs for a request.
pub(crate) type Handler = fn(NomadRequest) -> Pin<Box<dyn Future<Output = Reply> + Send>>;

/// A path, and what can be done there.
#[derive(Debug)]
pub(crate) struct Route {
    /// The path: `{name}` stands for a segment that isn't empty, and `{*}` at the end for one or more
    /// of any kind. The first route of the table that fits counts.
    pub(crate) path: &'static str,
    pub(crate) operations: &'static [Operation],
    /// What another method gets.
    pub(crate) otherwise: Otherwise,
}

/// What a request gets whose path is known, but not its method there.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Otherwise {
    /// 405.
    Method,
    /// 404 with these methods, 405 with others.
    NotFoundFor(&'static [Verb]),
    /// 404 whatever the method is.
    NotFound,
    /// The reply of the next route that fits the path.
    Next,
    /// 400 with this text, whatever the method is.
    Bad(&'static str),
}

impl Otherwise {
    pub(crate) fn reject(self, method: &Method) -> ApiError {
        match self {
            // A path has a last route that fits, so that `Next` never gets here.
            Self::NotFound | Self::Next => ApiError::resource(),
            Self::Bad(text) => ApiError::new(StatusCode::BAD_REQUEST, text),
            Self::NotFoundFor(verbs) if verbs.iter().any(|verb| verb.is(method)) => {
                ApiError::resource()
            }
            Self::Method | Self::NotFoundFor(_) => ApiError::method(),
        }
    }
}

/// A method that something answers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    /// `GET`, and `HEAD`, which is the same without a body.
    Get,
    Put,
    Post,
    Delete,
}

impl Verb {
    /// Whether a request with this method is meant.
    pub(crate) fn is(self, method: &Method) -> bool {
        match self {
            Self::Get => matches!(*method, Method::GET | Method::HEAD),
            Self::Put => *method == Method::PUT,
            Self::Post => *method == Method::POST,
            Self::Delete => *method == Method::DELETE,
        }
    }

    /// The name of the method.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Put => "put",
            Self::Post => "post",
            Self::Delete => "delete",
        }
    }
}

/// What can be done at a path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operation {
    pub(crate) verbs: &'static [Verb],
    /// The value of `type=` that this one is for; `None` for all that no other one is for.
    pub(crate) of_type: Option<&'static str>,
    /// What it is called, unlike all others.
    pub(crate) id: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) rule: Rule,
    /// Groups of parameters. A request without any isn't looked at further.
    pub(crate) parameters: &'static [&'static [Parameter]],
    /// What the body has to be, in words; `None` when it isn't read.
    pub(crate) body: Option<&'static str>,
    pub(crate) answer: Answer,
    /// Whether it can wait for a change.
    pub(crate) blocks: bool,
    pub(crate) run: Handler,
}

/// What an operation answers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer {
    /// An array of rows of which filters can ask for these fields.
    List(fn() -> Option<&'static Schema>),
    /// An object, described in words.
    Object(&'static str),
    /// An object, or plain text if a parameter selects it.
    ObjectOrText(&'static str),
    /// Text of a media type.
    Text(&'static str, &'static str),
    /// Bytes.
    Bytes(&'static str),
    /// No body.
    Empty,
}

impl Operation {
    pub(crate) const fn new(
        verbs: &'static [Verb],
        id: &'static str,
        rule: Rule,
        run: Handler,
    ) -> Self {
        Self {
            verbs,
            of_type: None,
            id,
            summary: "",
            rule,
            parameters: &[],
            body: None,
            answer: Answer::Empty,
            blocks: false,
            run,
        }
    }

    /// What it does, a sentence.
    pub(crate) const fn summary(mut self, summary: &'static str) -> Self {
        self.summary = summary;
        self
    }

    /// Only for this value of `type=`.
    pub(crate) const fn of_type(mut self, value: &'static str) -> Self {
        self.of_type = Some(value);
        self
    }

    /// What it takes in the query, beside the path.
    pub(crate) const fn parameters(mut self, parameters: &'static [&'static [Parameter]]) -> Self {
        self.parameters = parameters;
        self
    }

    /// What its body is.
    pub(crate) const fn body(mut self, body: &'static str) -> Self {
        self.body = Some(body);
        self
    }

    /// What it answers.
    pub(crate) const fn answer(mut self, answer: Answer) -> Self {
        self.answer = answer;
        self
    }

    /// It can wait for a change.
    pub(crate) const fn blocks(mut self) -> Self {
        self.blocks = true;
        self
    }

    /// Whether it changes anything.
    pub(crate) fn writes(&self) -> bool {
        !self.blocks && !self.verbs.contains(&Verb::Get)
    }
}

/// Decodes a segment of a path.
fn decode(segment: &str) -> Result<String, ApiError> {
    // The decoder leaves an escape that is none as it is: the segment would name another object.
    let mut escapes = segment.split('%').skip(1).map(|rest| rest.as_bytes().get(..2));
    let bad = escapes
        .find(|digits| !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)));
    if bad.is_some() {
        return Err(ApiError::bad_request(
            "the path has a '%' without two hex digits after it; write '%25' for a '%'",
        ));
    }
    let decoded = percent_encoding::percent_decode_str(segment).decode_utf8();
    decoded.map(Into::into).map_err(|_| ApiError::bad_request("the path is not UTF-8"))
}

impl Route {
    /// Returns the route of a request and the decoded segments that its placeholders stand for.
    pub(crate) fn find(
        method: &Method,
        path: &str,
    ) -> Result<Option<(&'static Self, Segments)>, ApiError> {
        let is_passed = |route: &Self| {
            let mut verbs = route.operations.iter().flat_map(|operation| operation.verbs);
            matches!(route.otherwise, Otherwise::Next) && !verbs.any(|verb| verb.is(method))
        };
        for route in crate::api::routes::ROUTES.iter().filter(|route| !is_passed(route)) {
            if let Some(found) = captures(route.path, path) {
                let decoded = found
                    .into_iter()
                    .map(|(name, segment)| Ok((name, decode(segment)?)))
                    .collect::<Result<_, ApiError>>()?;
                return Ok(Some((route, Segments(decoded))));
            }
        }
        Ok(None)
    }

    /// The operation for a method and a value of `type=`.
    pub(crate) fn operation(
        &self,
        method: &Method,
        of_type: Option<&str>,
    ) -> Result<&'static Operation, ApiError> {
        let found = |wanted: Option<&str>| {
            let mut all = self.operations.iter();
            all.find(|operation| {
                operation.of_type == wanted && operation.verbs.iter().any(|verb| verb.is(method))
            })
        };
        let typed = of_type.and_then(|of_type| found(Some(of_type)));
        typed.or_else(|| found(None)).ok_or_else(|| self.otherwise.reject(method))
    }
}

/// The decoded segments of a path that placeholders stand for. A slash that is written as `%2F` is
/// part of its segment.
#[derive(Debug, Default)]
pub(crate) struct Segments(Vec<(&'static str, String)>);

impl Segments {
    /// The namespace that the path names, if it does.
    pub(crate) fn namespace(&self) -> Option<&str> {
        let found = self.0.iter().find(|(found, _)| *found == "namespace");
        found.map(|(_, segment)| segment.as_str())
    }

    /// The segment that `{name}` stands for; empty when the route has none.
    pub(crate) fn get(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(found, _)| *found == name);
        debug_assert!(found.is_some(), "no {{{name}}} in the path of the route");
        found.map_or("", |(_, segment)| segment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoded_slash_stays_in_its_segment_and_none_is_empty() {
        let find = |path: &str| {
            let found = Route::find(&Method::GET, path).unwrap();
            found.map(|(route, segments)| (route.path, segments.0))
        };
        let (path, segments) = find("/v1/volume/csi/a%2Fb").unwrap();
        assert_eq!((path, &*segments[0].1), ("/v1/volume/csi/{id}", "a/b"));
        assert_eq!(find("/v1/volume/csi/").unwrap().0, "/v1/volume/csi/");
        assert_eq!(find("/v1/volume/csi/a/b").unwrap().0, "/v1/volume/csi/{id}/{action}");
        assert_eq!(find("/v1/volume/csi/a/b/c/d").unwrap().0, "/v1/volume/csi/{*}");
        for path in ["/v1/volumes/", "/v1", "", "/", "/v1/volume/csi"] {
            assert!(find(path).is_none(), "{path}");
        }
        for bad in ["%ff", "%zz", "a%", "a%2", "%2%41"] {
            assert!(Route::find(&Method::GET, &format!("/v1/volume/csi/{bad}")).is_err(), "{bad}");
        }
        // A method that a path lacks is that of the object with this name.
        let of = |method| Route::find(&method, "/v1/volume/host/create").unwrap().unwrap().0.path;
        assert_eq!(of(Method::PUT), "/v1/volume/host/create");
        assert_eq!(of(Method::GET), "/v1/volume/host/{id}");
        assert_eq!(of(Method::PATCH), "/v1/volume/host/{id}");
    }
}
