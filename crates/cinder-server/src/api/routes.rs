//! The tables of everything that the API answers: each area has its own beside its handlers.
//!
//! Each path is there twice: with the project behind `/v3/`, and without.

use statehold_cinder::{ListResource, input::bodies::Body};
use statehold_server_core::router::{Captures, Parameter, captures_of};
use statehold_store::{Snapshot, WriteTxn};

use crate::api::list::Collection;
use crate::api::operation::{EMPTY, ListParameters, Reply, SchemaOf, Shape};
use crate::api::{
    attachments, backups, consistency, default_types, extensions, group_snapshots, group_types,
    groups, manage, messages, openapi, pools, qos, quotas, services, snapshots, transfers, types,
    volumes,
};
use crate::request::{ApiError, CinderReply, CinderRequest};

/// What runs for a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Handler {
    /// Looks at a few rows.
    Read(fn(&Snapshot, &CinderRequest<'_>) -> Result<CinderReply, ApiError>),
    /// Looks at many rows, when it is its turn.
    List(fn(&Snapshot, &CinderRequest<'_>) -> Result<CinderReply, ApiError>),
    /// Changes rows, in one transaction, and may queue work.
    Write(fn(&mut WriteTxn<'_>, &CinderRequest<'_>) -> Result<CinderReply, ApiError>),
}

/// A method and a path, and its description for the OpenAPI document.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) method: &'static str,
    /// `{name}` stands for a segment that isn't empty. The first route that fits counts.
    pub(crate) path: &'static str,
    /// The minor version that it came with.
    pub(crate) since: u16,
    /// Whether the path may have the project of the token before it.
    project: bool,
    /// Whether every caller with a token may use it, so that it asks the policy for nothing.
    pub(crate) open: bool,
    pub(crate) run: Handler,
    pub(crate) summary: &'static str,
    pub(crate) query: &'static [Parameter],
    /// The parameters that follow from the resource of a list with pages.
    pub(crate) list: Option<ListParameters>,
    /// The body that is read.
    pub(crate) body: Option<Body>,
    /// The usual reply of a request that succeeds.
    reply: Reply,
    other_replies: &'static [Reply],
    /// Whether `If-Match` is read.
    pub(crate) tagged: bool,
}

/// The end that the last segment of a path may have: replies are JSON anyway.
const FORMAT: &str = ".json";

/// The prefix of all paths.
pub(crate) const PREFIX: &str = "/v3/";

pub(crate) const fn read(
    path: &'static str,
    summary: &'static str,
    run: fn(&Snapshot, &CinderRequest<'_>) -> Result<CinderReply, ApiError>,
) -> Route {
    Route::new("GET", path, summary, Handler::Read(run))
}

pub(crate) const fn list(
    path: &'static str,
    summary: &'static str,
    run: fn(&Snapshot, &CinderRequest<'_>) -> Result<CinderReply, ApiError>,
) -> Route {
    Route::new("GET", path, summary, Handler::List(run))
}

pub(crate) const fn write(
    method: &'static str,
    path: &'static str,
    summary: &'static str,
    run: fn(&mut WriteTxn<'_>, &CinderRequest<'_>) -> Result<CinderReply, ApiError>,
) -> Route {
    Route::new(method, path, summary, Handler::Write(run))
}

impl Route {
    const fn new(
        method: &'static str,
        path: &'static str,
        summary: &'static str,
        run: Handler,
    ) -> Self {
        Self {
            method,
            path,
            since: 0,
            project: true,
            open: false,
            run,
            summary,
            query: &[],
            list: None,
            body: None,
            reply: EMPTY,
            other_replies: &[],
            tagged: false,
        }
    }

    /// The route, with parameters of the query.
    pub(crate) const fn query(mut self, query: &'static [Parameter]) -> Self {
        self.query = query;
        self
    }

    /// The route, with a body.
    pub(crate) const fn body(mut self, body: Body) -> Self {
        self.body = Some(body);
        self
    }

    /// The route of a list with pages of a resource, each row with the schema.
    pub(crate) const fn page<T: ListResource>(mut self, place: Collection, row: SchemaOf) -> Self {
        self.list = Some(ListParameters::new::<T>());
        self.reply(Reply(200, Shape::Page(place, row)))
    }

    /// The route, with the reply of requests that succeed; by default it is [`EMPTY`].
    pub(crate) const fn reply(mut self, reply: Reply) -> Self {
        self.reply = reply;
        self
    }

    /// The route, with other replies of requests that succeed.
    pub(crate) const fn or(mut self, replies: &'static [Reply]) -> Self {
        self.other_replies = replies;
        self
    }

    /// The route, with `If-Match`: 412 for another state.
    pub(crate) const fn tagged(mut self) -> Self {
        self.tagged = true;
        self
    }

    /// Returns the replies of requests that succeed.
    pub(crate) fn replies(&self) -> impl Iterator<Item = &Reply> {
        std::iter::once(&self.reply).chain(self.other_replies)
    }

    /// The route, from a minor version on.
    pub(crate) const fn since(mut self, minor: u16) -> Self {
        self.since = minor;
        self
    }

    /// The route, for every caller with a token.
    pub(crate) const fn open(mut self) -> Self {
        self.open = true;
        self
    }

    /// The route, with no project before it.
    pub(crate) const fn without_project(mut self) -> Self {
        self.project = false;
        self
    }

    /// Whether it is for a method. `HEAD` is what `GET` is, but where that changes something.
    fn answers(&self, method: &str) -> bool {
        self.method == method
            || (method == "HEAD" && self.method == "GET" && !matches!(self.run, Handler::Write(_)))
    }

    /// Returns the values of the placeholders in the segments of a path, if it is of this route.
    ///
    /// The last segment may end in `.json`, unless a client or an operator chose it: a key of metadata or
    /// the name of a host may have that end itself.
    // Cinder: its routes are those of `routes.Mapper.resource`, each of which takes a `.format`.
    fn segments<'p>(&self, given: &[&'p str]) -> Option<Captures<'p>> {
        let pattern = self.path.strip_prefix(PREFIX)?.split('/');
        let last = pattern.clone().next_back().unwrap_or_default();
        let may_have_format = last == "{id}" || !last.starts_with('{');
        let bare = |at: usize, segment: &'p str| {
            let is_last = at + 1 == given.len();
            segment.strip_suffix(FORMAT).filter(|_| is_last && may_have_format).unwrap_or(segment)
        };
        captures_of(pattern, given.iter().enumerate().map(|(at, segment)| bare(at, segment)))
    }
}

/// The route of a request, and what its path says.
#[derive(Debug)]
pub(crate) struct RouteMatch<'p> {
    pub(crate) route: &'static Route,
    pub(crate) segments: Captures<'p>,
    /// The project, if the path has it.
    pub(crate) project: Option<&'p str>,
}

impl<'p> RouteMatch<'p> {
    /// The route of a path that a caller of `project` sent. A path that may begin with a project or
    /// not begins with one if it is the caller's: projects may be named as anything here is.
    pub(crate) fn find(method: &str, path: &'p str, project: &str) -> Option<Self> {
        let given = split(path.strip_prefix(PREFIX)?);
        let of = |project: Option<&'p str>, given: &[&'p str]| {
            let routes = TABLES.iter().copied().flatten();
            let fits =
                |route: &&Route| route.answers(method) && (route.project || project.is_none());
            let mut routes = routes.filter(fits);
            routes.find_map(|route| {
                let segments = route.segments(given)?;
                Some(Self { route, segments, project })
            })
        };
        let (first, rest) = given.split_first()?;
        let within = || of(Some(*first), rest).filter(|_| is_project(first));
        if *first == project {
            return within().or_else(|| of(None, &given));
        }
        of(None, &given).or_else(within)
    }
}

/// Splits a path at its slashes. Several in a row are one, as clients that join paths by hand send them;
/// one at the end leads to no route.
fn split(path: &str) -> Vec<&str> {
    let end = path.split('/').next_back();
    let inner = path.split('/').filter(|segment| !segment.is_empty());
    inner.chain(end.filter(|end| end.is_empty())).collect()
}

/// Whether a segment can be the ID of a project.
fn is_project(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// Every route.
pub(crate) static TABLES: &[&[Route]] = &[
    volumes::ROUTES,
    snapshots::ROUTES,
    attachments::ROUTES,
    backups::ROUTES,
    manage::ROUTES,
    transfers::ROUTES,
    types::ROUTES,
    default_types::ROUTES,
    qos::ROUTES,
    quotas::ROUTES,
    messages::ROUTES,
    group_types::ROUTES,
    groups::ROUTES,
    group_snapshots::ROUTES,
    consistency::ROUTES,
    services::ROUTES,
    pools::ROUTES,
    extensions::ROUTES,
    openapi::ROUTES,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_found_with_and_without_a_project() {
        let find = |method, path| {
            let found = RouteMatch::find(method, path, "volumes")?;
            Some((found.route.path, found.segments, found.project))
        };
        assert_eq!(
            find("GET", "/v3/volumes/detail"),
            Some(("/v3/volumes/detail", Vec::new(), None))
        );
        assert_eq!(
            find("GET", "/v3/p_1/volumes/x"),
            Some(("/v3/volumes/{id}", vec![("id", "x")], Some("p_1")))
        );
        // A project that is named as a collection is.
        assert_eq!(
            find("GET", "/v3/volumes/volumes"),
            Some(("/v3/volumes", Vec::new(), Some("volumes")))
        );
        assert_eq!(
            find("HEAD", "/v3/volumes/x"),
            Some(("/v3/volumes/{id}", vec![("id", "x")], None))
        );
        assert_eq!(find("HEAD", "/v3/qos-specs/x/associate"), None);
        for path in ["/v3/p.1/volumes", "/v3/volumes/", "/v3/volumes//", "/v2/volumes", "/v3/nope"]
        {
            assert_eq!(find("GET", path), None, "{path}");
        }
        assert_eq!(find("PATCH", "/v3/volumes"), None);
    }

    #[test]
    fn slashes_in_a_row_are_one_slash() {
        for path in ["/v3//volumes/detail", "/v3/p//volumes//detail", "/v3///p/volumes/detail"] {
            let found = RouteMatch::find("GET", path, "p").map(|found| found.route.path);
            assert_eq!(found, Some("/v3/volumes/detail"), "{path}");
        }
    }

    #[test]
    fn a_path_may_end_in_the_format_of_its_reply() {
        let find = |path| {
            let found = RouteMatch::find("GET", path, "p")?;
            Some((found.route.path, found.segments))
        };
        assert_eq!(find("/v3/p/volumes.json"), Some(("/v3/volumes", Vec::new())));
        assert_eq!(find("/v3/volumes/detail.json"), Some(("/v3/volumes/detail", Vec::new())));
        assert_eq!(find("/v3/volumes/x.json"), Some(("/v3/volumes/{id}", vec![("id", "x")])));
        // A key that a client chose is the key that it chose.
        let key = ("/v3/volumes/{id}/metadata/{key}", vec![("id", "x"), ("key", "a.json")]);
        assert_eq!(find("/v3/volumes/x/metadata/a.json"), Some(key));
        for path in ["/v3/volumes.json/detail", "/v3/volumes.xml", "/v3/volumes/.json"] {
            assert_eq!(find(path), None, "{path}");
        }
    }
}
