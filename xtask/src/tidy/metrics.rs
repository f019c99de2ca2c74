//! The metrics: each one that a source registers is in a table of `docs`, and each one there is registered.

use std::collections::BTreeSet;

use super::Finding;
use super::lexer::scan;
use super::pages;
use super::tree::Tree;

/// The tables of metrics: a page and the heading above the table.
const TABLES: [(&str, &str); 2] =
    [("docs/http.md", "## Metrics"), ("docs/block-storage.md", "## Monitoring")];

/// The prefix of every metric.
const PREFIX: &str = "statehold_";

/// The ends that `OpenMetrics` gives to names: counters, and the units.
const ENDS: [&str; 6] = ["_seconds_total", "_bytes_total", "_total", "_seconds", "_bytes", ""];

/// Returns a finding for each metric that the sources and the pages do not share.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let registered = registered(tree);
    let mut findings = Vec::new();
    let mut documented = BTreeSet::new();
    for (path, heading) in TABLES {
        let Some(page) = tree.file(path) else { continue };
        for (line, cells) in pages::rows(&page.text, heading).into_iter().skip(1) {
            for span in cells.first().into_iter().flat_map(|cell| pages::spans(cell)) {
                let Some(name) = span.strip_prefix(PREFIX) else { continue };
                let bare = ENDS.iter().filter_map(|end| name.strip_suffix(end));
                let own = bare.filter(|bare| registered.iter().any(|(_, _, known)| known == bare));
                let own: Vec<_> = own.map(str::to_owned).collect();
                // Several ends may fit, because a name may end in a unit itself.
                if own.is_empty() {
                    let message = format!("`{span}` is registered by no source");
                    findings.push(Finding::new(path, line, message));
                }
                documented.extend(own);
            }
        }
    }
    for (path, line, name) in registered {
        if !documented.contains(&name) {
            let message = format!("`{PREFIX}{name}` is in no table of metrics in docs");
            findings.push(Finding::new(&path, line, message));
        }
    }
    findings
}

/// The dashboard over the metrics.
const DASHBOARD: &str = "docs/grafana.json";

/// The ends that Prometheus gives to the series of a histogram.
const SERIES: [&str; 4] = ["_bucket", "_sum", "_count", ""];

/// Returns a finding for each metric in the dashboard that no table of `docs` has.
///
/// The tables are compared with the sources by [`check`].
pub(crate) fn check_dashboard(tree: &Tree) -> Vec<Finding> {
    let mut documented = BTreeSet::new();
    for (path, heading) in TABLES {
        let Some(page) = tree.file(path) else { continue };
        for (_, cells) in pages::rows(&page.text, heading).into_iter().skip(1) {
            documented.extend(cells.first().into_iter().flat_map(|cell| pages::spans(cell)));
        }
    }
    // Trees of tests have none.
    let Some(dashboard) = tree.file(DASHBOARD) else { return Vec::new() };
    let mut findings = Vec::new();
    for (at, line) in dashboard.text.lines().enumerate() {
        for (start, _) in line.match_indices(PREFIX) {
            let Some(name) = line.get(start..) else { continue };
            // Labels and functions of the query follow the name.
            let end = name.find(|sign: char| !sign.is_ascii_lowercase() && sign != '_');
            let name = name.get(..end.unwrap_or(name.len())).unwrap_or(name);
            let mut bare = SERIES.iter().filter_map(|end| name.strip_suffix(end));
            if !bare.any(|bare| documented.contains(bare)) {
                let message = format!("`{name}` is in no table of metrics in docs");
                findings.push(Finding::new(DASHBOARD, at + 1, message));
            }
        }
    }
    findings
}

/// Returns the file, the line and the name of each metric, as given to the registry: without prefix and unit.
fn registered(tree: &Tree) -> Vec<(String, usize, String)> {
    let mut found = Vec::new();
    for file in tree.sources() {
        for (start, body) in registering_functions(&file.text) {
            let first = file.text.get(..start).unwrap_or_default().matches('\n').count();
            let scanned = scan(body);
            let names = scanned.literals.iter().filter(|literal| is_name(literal.text));
            let names: Vec<_> = names.collect();
            // `let name = format!("pool_{name}")` over a list of names, which are one word each.
            let template = scanned.literals.iter().find(|one| one.text.contains("{name}"));
            for one in names {
                let name = match template {
                    Some(template) if !one.text.contains('_') => {
                        template.text.replace("{name}", one.text)
                    }
                    _ => one.text.to_owned(),
                };
                found.push((file.path.clone(), first + one.line, name));
            }
        }
    }
    found
}

/// Returns the bodies of the functions that register metrics, with the offsets that they begin at.
fn registering_functions(source: &str) -> impl Iterator<Item = (usize, &str)> {
    let starts = source.match_indices("fn register").map(|(start, _)| start);
    starts.filter(|_| source.contains("prometheus_client")).filter_map(move |start| {
        let after = source.get(start..)?;
        // rustfmt indents the end of a method by four blanks.
        let end = after.find("\n    }\n").unwrap_or(after.len());
        Some((start, after.get(..end)?))
    })
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|sign| sign.is_ascii_lowercase() || sign == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "use prometheus_client;\nimpl M {\n    fn register(&self) {\n        \
        for (name, help) in [(\"free\", \"Free space\")] {\n            \
        let name = format!(\"pool_{name}\");\n        }\n        \
        to.register(\"http_requests\", \"Requests\");\n        to.register(\"lost\", \"Lost\");\n    }\n}\n";

    #[test]
    fn metrics_of_sources_and_pages_are_compared() {
        let page = "## Metrics\n| name | x |\n|---|---|\n| `statehold_pool_free_bytes`, \
                    `statehold_http_requests_total` | y |\n| `statehold_gone` | z |\n";
        let tree = Tree::of(&[("crates/a/src/m.rs", SOURCE), ("docs/http.md", page)]);
        let found: Vec<_> = check(&tree).iter().map(ToString::to_string).collect();
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("docs/http.md:5: `statehold_gone`"));
        assert!(found[1].starts_with("crates/a/src/m.rs:8: `statehold_pool_lost`"));
    }

    #[test]
    fn metrics_of_the_dashboard_are_documented() {
        let page = "## Metrics\n| name |\n|---|\n| `statehold_wait_seconds` |\n";
        let dashboard = "{\"expr\": \"rate(statehold_wait_seconds_bucket[5m])\"},\n\
                         {\"expr\": \"statehold_gone{a=\\\"b\\\"}\"}\n";
        let tree = Tree::of(&[("docs/http.md", page), ("docs/grafana.json", dashboard)]);
        let found: Vec<_> = check_dashboard(&tree).iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            ["docs/grafana.json:2: `statehold_gone` is in no table of metrics in docs"]
        );
    }
}
