//! The table of everything that the API answers.
//!
//! Each path is there twice: with the project behind `/v3/`, and without.

use statehold_store::{Snapshot, WriteTxn};

use super::call::{Answer, Call, Refusal};
use super::{attachments, quotas, snapshots, types, volumes};

/// What runs for a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Run {
    /// Looks at a few rows.
    Read(fn(&Snapshot, &Call<'_>) -> Result<Answer, Refusal>),
    /// Looks at many rows, when it is its turn.
    List(fn(&Snapshot, &Call<'_>) -> Result<Answer, Refusal>),
    /// Changes rows, in one transaction, and may queue work.
    Write(fn(&mut WriteTxn<'_>, &Call<'_>) -> Result<Answer, Refusal>),
}

/// A method and a path.
#[derive(Debug)]
pub(crate) struct Route {
    method: &'static str,
    /// `{name}` stands for a segment that isn't empty. The first route that fits counts.
    pub(crate) path: &'static str,
    /// The minor version that it came with.
    pub(crate) since: u16,
    pub(crate) run: Run,
}

/// The prefix of all paths.
const PREFIX: &str = "/v3/";

const fn read(
    path: &'static str,
    run: fn(&Snapshot, &Call<'_>) -> Result<Answer, Refusal>,
) -> Route {
    Route { method: "GET", path, since: 0, run: Run::Read(run) }
}

const fn list(
    path: &'static str,
    run: fn(&Snapshot, &Call<'_>) -> Result<Answer, Refusal>,
) -> Route {
    Route { method: "GET", path, since: 0, run: Run::List(run) }
}

const fn write(
    method: &'static str,
    path: &'static str,
    run: fn(&mut WriteTxn<'_>, &Call<'_>) -> Result<Answer, Refusal>,
) -> Route {
    Route { method, path, since: 0, run: Run::Write(run) }
}

impl Route {
    const fn since(mut self, minor: u16) -> Self {
        self.since = minor;
        self
    }

    /// What the placeholders stand for in the segments of a path, if it is of this route.
    fn segments<'p>(&self, given: &[&'p str]) -> Option<Vec<(&'static str, &'p str)>> {
        let wanted = self.path.strip_prefix(PREFIX)?.split('/');
        if wanted.clone().count() != given.len() {
            return None;
        }
        let mut found = Vec::new();
        for (wanted, given) in wanted.zip(given) {
            match wanted.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
                Some(name) if !given.is_empty() => found.push((name, *given)),
                None if *given == wanted => {}
                _ => return None,
            }
        }
        Some(found)
    }
}

/// The route of a request, and what its path says.
#[derive(Debug)]
pub(crate) struct Found<'p> {
    pub(crate) route: &'static Route,
    pub(crate) segments: Vec<(&'static str, &'p str)>,
    /// The project, if the path has it.
    pub(crate) project: Option<&'p str>,
}

impl<'p> Found<'p> {
    pub(crate) fn find(method: &str, path: &'p str) -> Option<Self> {
        let given: Vec<&str> = path.strip_prefix(PREFIX)?.split('/').collect();
        let of = |project, given: &[&'p str]| {
            let mut routes = ROUTES.iter().filter(|route| route.method == method);
            routes.find_map(|route| {
                let segments = route.segments(given)?;
                Some(Self { route, segments, project })
            })
        };
        let (project, rest) = given.split_first()?;
        of(None, &given).or_else(|| of(Some(*project), rest).filter(|_| is_project(project)))
    }
}

/// Whether a segment can be the ID of a project.
fn is_project(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// Every route.
static ROUTES: &[Route] = &[
    list("/v3/volumes", volumes::list),
    write("POST", "/v3/volumes", volumes::create),
    list("/v3/volumes/detail", volumes::list_detail),
    list("/v3/volumes/summary", volumes::summary).since(12),
    read("/v3/volumes/{id}", volumes::show),
    write("PUT", "/v3/volumes/{id}", volumes::update),
    write("DELETE", "/v3/volumes/{id}", volumes::delete),
    write("POST", "/v3/volumes/{id}/action", volumes::act),
    read("/v3/volumes/{id}/metadata", volumes::metadata),
    write("POST", "/v3/volumes/{id}/metadata", volumes::merge_metadata),
    write("PUT", "/v3/volumes/{id}/metadata", volumes::replace_metadata),
    read("/v3/volumes/{id}/metadata/{key}", volumes::metadata_item),
    write("PUT", "/v3/volumes/{id}/metadata/{key}", volumes::set_metadata_item),
    write("DELETE", "/v3/volumes/{id}/metadata/{key}", volumes::delete_metadata_item),
    read("/v3/volumes/{id}/encryption", volumes::encryption),
    list("/v3/snapshots", snapshots::list),
    write("POST", "/v3/snapshots", snapshots::create),
    list("/v3/snapshots/detail", snapshots::list_detail),
    read("/v3/snapshots/{id}", snapshots::show),
    write("PUT", "/v3/snapshots/{id}", snapshots::update),
    write("DELETE", "/v3/snapshots/{id}", snapshots::delete),
    write("POST", "/v3/snapshots/{id}/action", snapshots::act),
    read("/v3/snapshots/{id}/metadata", snapshots::metadata),
    write("POST", "/v3/snapshots/{id}/metadata", snapshots::merge_metadata),
    write("PUT", "/v3/snapshots/{id}/metadata", snapshots::replace_metadata),
    read("/v3/snapshots/{id}/metadata/{key}", snapshots::metadata_item),
    write("PUT", "/v3/snapshots/{id}/metadata/{key}", snapshots::set_metadata_item),
    write("DELETE", "/v3/snapshots/{id}/metadata/{key}", snapshots::delete_metadata_item),
    list("/v3/attachments", attachments::list).since(27),
    write("POST", "/v3/attachments", attachments::create).since(27),
    list("/v3/attachments/summary", attachments::list).since(27),
    list("/v3/attachments/detail", attachments::list_detail).since(27),
    read("/v3/attachments/{id}", attachments::show).since(27),
    write("PUT", "/v3/attachments/{id}", attachments::connect).since(27),
    write("DELETE", "/v3/attachments/{id}", attachments::delete).since(27),
    write("POST", "/v3/attachments/{id}/action", attachments::act).since(44),
    list("/v3/types", types::list),
    write("POST", "/v3/types", types::create),
    read("/v3/types/default", types::show_default),
    read("/v3/types/{id}", types::show),
    write("PUT", "/v3/types/{id}", types::update),
    write("DELETE", "/v3/types/{id}", types::delete),
    read("/v3/types/{id}/extra_specs", types::extra_specs),
    write("POST", "/v3/types/{id}/extra_specs", types::set_extra_specs),
    read("/v3/types/{id}/extra_specs/{key}", types::extra_spec),
    write("PUT", "/v3/types/{id}/extra_specs/{key}", types::set_extra_spec),
    write("DELETE", "/v3/types/{id}/extra_specs/{key}", types::delete_extra_spec),
    read("/v3/types/{id}/encryption", types::encryption),
    write("POST", "/v3/types/{id}/encryption", types::encrypt),
    write("DELETE", "/v3/types/{id}/encryption/{encryption}", types::decrypt),
    read("/v3/types/{id}/os-volume-type-access", types::access),
    write("POST", "/v3/types/{id}/action", types::act),
    list("/v3/os-quota-sets/{project}", quotas::show),
    write("PUT", "/v3/os-quota-sets/{project}", quotas::update),
    write("DELETE", "/v3/os-quota-sets/{project}", quotas::reset),
    read("/v3/os-quota-sets/{project}/defaults", quotas::defaults),
    read("/v3/os-quota-class-sets/{class}", quotas::show_class),
    write("PUT", "/v3/os-quota-class-sets/{class}", quotas::update_class),
    list("/v3/limits", quotas::limits),
    read("/v3/os-availability-zone", quotas::zones),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_found_with_and_without_a_project() {
        let find = |method, path| {
            let found = Found::find(method, path)?;
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
        for path in ["/v3/p.1/volumes", "/v3/volumes/", "/v3//volumes", "/v2/volumes", "/v3/nope"] {
            assert_eq!(find("GET", path), None, "{path}");
        }
        assert_eq!(find("PATCH", "/v3/volumes"), None);
    }
}
