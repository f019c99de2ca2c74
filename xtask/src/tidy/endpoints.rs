//! The tables of endpoints: each path of a page is served, and each path that is served is on its page.
//!
//! The paths of Nomad's API are those of `docs/openapi.json`, which a test holds to the server. Those of Block
//! Storage are read from its tables of routes.

use std::collections::BTreeSet;

use super::Finding;
use super::lexer::{scan, without_tests};
use super::pages;
use super::tree::Tree;

const NOMAD_PAGE: &str = "docs/http.md";
const NOMAD_DOCUMENT: &str = "docs/openapi.json";
const BLOCK_STORAGE_PAGE: &str = "docs/block-storage.md";

/// The prefix of the paths of Block Storage, which its page leaves out.
const PREFIX: &str = "/v3/";

const METHODS: [&str; 4] = ["GET", "PUT", "POST", "DELETE"];

/// Returns a finding for each endpoint that the page of Nomad's API and its document do not share.
pub(crate) fn check_nomad(tree: &Tree) -> Vec<Finding> {
    let (Some(page), Some(document)) = (tree.file(NOMAD_PAGE), tree.file(NOMAD_DOCUMENT)) else {
        return vec![Finding::new(NOMAD_PAGE, 1, format!("it or {NOMAD_DOCUMENT} does not exist"))];
    };
    let served = document_endpoints(&document.text);
    let mut findings = Vec::new();
    let mut documented = BTreeSet::new();
    for (line, cells) in pages::rows(&page.text, "## Endpoints").into_iter().skip(1) {
        for (method, path) in row_endpoints(cells.first().copied().unwrap_or_default()) {
            if !served.iter().any(|(_, own_method, own)| *own_method == method && *own == path) {
                let message = format!("`{method} {path}` is not in {NOMAD_DOCUMENT}");
                findings.push(Finding::new(NOMAD_PAGE, line, message));
            }
            // A path is enough: some methods answer only that they are not allowed.
            documented.insert(path);
        }
    }
    for (line, method, path) in served {
        // Nomad ignores what follows some paths; these have no row of their own.
        let is_ignored = path.ends_with("/{rest}") || path.ends_with("/{ignored}");
        if !is_ignored && !documented.contains(&path) {
            let message = format!("`{method} {path}` is in no row of {NOMAD_PAGE}");
            findings.push(Finding::new(NOMAD_DOCUMENT, line, message));
        }
    }
    findings
}

/// Returns the line, the method and the path of each operation of an OpenAPI document, pretty-printed.
fn document_endpoints(document: &str) -> Vec<(usize, String, String)> {
    let mut found = Vec::new();
    let mut path = None;
    for (at, line) in document.lines().enumerate() {
        let member = |indent: &str| {
            let name = line.strip_prefix(indent)?.strip_prefix('"')?.strip_suffix("\": {")?;
            Some(name.to_owned())
        };
        if let Some(own) = member("    ") {
            path = own.starts_with('/').then(|| normal(&own));
        } else if let (Some(path), Some(method)) = (&path, member("      ")) {
            found.push((at + 1, method.to_uppercase(), path.clone()));
        }
    }
    found
}

/// Returns the endpoints of a cell such as `` `PUT`, `POST /v1/volumes` `` or `` `GET /a/b`, `/c` ``.
fn row_endpoints(cell: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    let mut methods: Vec<&str> = Vec::new();
    let mut last = String::new();
    for span in pages::spans(cell) {
        let (method, path) = match span.split_once(' ') {
            Some((method, path)) => (Some(method), path),
            None if METHODS.contains(&span) => (Some(span), ""),
            None => (None, span),
        };
        if let Some(method) = method {
            // Methods before a path belong to it; the first one after a path begins anew.
            if !last.is_empty() {
                methods.clear();
                last.clear();
            }
            methods.push(method);
        }
        if path.is_empty() {
            continue;
        }
        let before = found.last().map(|(_, path)| path.clone()).unwrap_or_default();
        // One segment stands for a sibling of the path before it, more for a path from the root.
        let is_whole = path.starts_with("/v1/")
            || path.starts_with("/statehold/")
            || path.matches('/').count() > 1
            || before.is_empty();
        last = if is_whole {
            normal(path)
        } else {
            // `/summary` after `/v1/job/:id/allocations` replaces the last segment.
            format!("{}{path}", before.rsplit_once('/').map_or("", |(parent, _)| parent))
        };
        found.extend(methods.iter().map(|method| ((*method).to_owned(), last.clone())));
    }
    found
}

/// Returns a path without its query, with placeholders as `{}`, but for those of ignored segments.
fn normal(path: &str) -> String {
    let path = path.split('?').next().unwrap_or(path);
    let segments = path.split('/').map(|segment| match segment {
        "{rest}" | "{ignored}" => segment,
        _ if segment.starts_with(['{', ':']) => "{}",
        _ => segment,
    });
    segments.collect::<Vec<_>>().join("/")
}

/// Returns a finding for each path that the page of Block Storage and the tables of routes do not share.
pub(crate) fn check_block_storage(tree: &Tree) -> Vec<Finding> {
    let Some(page) = tree.file(BLOCK_STORAGE_PAGE) else {
        return vec![Finding::new(BLOCK_STORAGE_PAGE, 1, "the page does not exist")];
    };
    let routes = block_storage_routes(tree);
    let mut findings = Vec::new();
    if routes.is_empty() {
        let message = format!("no source has a route that begins with `{PREFIX}`");
        findings.push(Finding::new(BLOCK_STORAGE_PAGE, 1, message));
    }
    let is_served = |path: &str| routes.iter().any(|(_, _, own)| own == path);
    let mut documented = BTreeSet::new();
    for (line, cells) in pages::rows(&page.text, "## What is served").into_iter().skip(1) {
        let mut whole: Vec<String> = Vec::new();
        for span in pages::spans(cells.first().copied().unwrap_or_default()) {
            if span.contains(' ') {
                continue; // `GET /` and `GET /v3/` are no routes: they answer before a token is read.
            }
            let own = match span.strip_prefix("...") {
                None => Some(normal(span.strip_prefix("/v3").unwrap_or(span))),
                Some(rest) => completed(&whole, &normal(rest)).find(|path| is_served(path)),
            };
            if let Some(path) = own.filter(|path| is_served(path)) {
                documented.insert(path.clone());
                whole.push(path);
            } else {
                let message = format!("`{span}` is in no table of routes");
                findings.push(Finding::new(BLOCK_STORAGE_PAGE, line, message));
            }
        }
    }
    for (path, line, route) in routes {
        // A row covers the paths below its own.
        let mut ancestors = std::iter::successors(Some(route.as_str()), |path| {
            path.rsplit_once('/').map(|(parent, _)| parent)
        });
        if !ancestors.any(|one| documented.contains(one)) {
            let message = format!("`{route}` is in no row of {BLOCK_STORAGE_PAGE}");
            findings.push(Finding::new(&path, line, message));
        }
    }
    findings
}

/// Returns the paths that `...` and `rest` may stand for after `whole` ones: each of them, cut at any slash.
fn completed(whole: &[String], rest: &str) -> impl Iterator<Item = String> {
    whole.iter().rev().flat_map(move |path| {
        let parents = std::iter::successors(Some(path.as_str()), |path| {
            path.rsplit_once('/').map(|(parent, _)| parent)
        });
        parents.map(move |parent| format!("{parent}{rest}"))
    })
}

/// Returns the file, the line and the path of each route of Block Storage, without [`PREFIX`].
fn block_storage_routes(tree: &Tree) -> Vec<(String, usize, String)> {
    let mut found = Vec::new();
    for file in tree.sources() {
        let source = without_tests(&file.text);
        for literal in scan(source).literals {
            let before = source.get(..literal.start).unwrap_or_default().trim_end();
            // The constructors of routes take the path first or after the method.
            let is_route = ["read(", "list(", "write(", "\",", "path:", "Verb::"]
                .iter()
                .any(|end| before.ends_with(end));
            let path =
                literal.text.strip_prefix(PREFIX).filter(|path| is_route && !path.is_empty());
            if let Some(path) = path {
                found.push((file.path.clone(), literal.line, normal(&format!("/{path}"))));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoints(cell: &str) -> Vec<String> {
        row_endpoints(cell).iter().map(|(method, path)| format!("{method} {path}")).collect()
    }

    #[test]
    fn a_cell_has_methods_before_their_path() {
        assert_eq!(endpoints("`PUT`, `POST /v1/volumes`"), ["PUT /v1/volumes", "POST /v1/volumes"]);
        assert_eq!(
            endpoints("`GET /v1/namespaces`, `GET`, `DELETE /v1/namespace/:name`"),
            ["GET /v1/namespaces", "GET /v1/namespace/{}", "DELETE /v1/namespace/{}"]
        );
    }

    #[test]
    fn a_cell_may_abbreviate_siblings() {
        assert_eq!(
            endpoints("`GET /v1/job/:id/allocations?x=`, `/summary`, `/v1/nodes`"),
            ["GET /v1/job/{}/allocations", "GET /v1/job/{}/summary", "GET /v1/nodes"]
        );
    }

    #[test]
    fn endpoints_of_page_and_document_are_compared() {
        let page =
            "## Endpoints\n| a | b |\n|---|---|\n| `GET /v1/a/:id` | x |\n| `PUT /v1/b` | y |\n";
        let document = "  \"paths\": {\n    \"/v1/a/{id}\": {\n      \"get\": {\n    \"/v1/c\": {\n      \"put\": {\n";
        let tree = Tree::of(&[(NOMAD_DOCUMENT, document), (NOMAD_PAGE, page)]);
        let found: Vec<_> = check_nomad(&tree).iter().map(ToString::to_string).collect();
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("docs/http.md:5: `PUT /v1/b`"));
        assert!(found[1].starts_with("docs/openapi.json:5: `PUT /v1/c`"));
    }

    #[test]
    fn paths_of_block_storage_are_compared_with_the_routes() {
        let page = "## What is served\n| path | x |\n|---|---|\n| `/volumes/{id}`, `.../action`, `/gone` | y |\n";
        let source = "[read(\"/v3/volumes/{id}\", a), write(\"POST\", \"/v3/volumes/{id}/action\", b), \
                      read(\"/v3/types\", c)]\n#[cfg(test)]\nmod tests { read(\"/v3/no\", d) }\n";
        let tree = Tree::of(&[("crates/a/src/volumes.rs", source), (BLOCK_STORAGE_PAGE, page)]);
        let found: Vec<_> = check_block_storage(&tree).iter().map(ToString::to_string).collect();
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("`/gone` is in no table"));
        assert!(found[1].contains("`/types` is in no row"));
    }
}
