//! The names of tests: their length, and those that `docs/guarantees.md` names.

use std::collections::{BTreeMap, BTreeSet};

use super::Finding;
use super::lexer::scan;
use super::pages;
use super::tree::{File, Tree};
use super::voice::crate_of;

/// The most characters of a test's name.
const NAME_LEN_MAX: usize = 60;

/// The page that names the test behind each promise.
const GUARANTEES: &str = "docs/guarantees.md";

/// Returns a finding for each name that is too long.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    by_crate(tree).into_values().flatten().collect()
}

/// Returns the names that are too long, by crate.
pub(crate) fn by_crate(tree: &Tree) -> BTreeMap<&str, Vec<Finding>> {
    let mut by_crate: BTreeMap<&str, Vec<Finding>> = BTreeMap::new();
    for file in tree.with_extension("rs") {
        let long = tests(file).into_iter().filter(|(_, name)| name.len() > NAME_LEN_MAX);
        by_crate.entry(crate_of(&file.path)).or_default().extend(long.map(|(line, name)| {
            let message = format!("`{name}` has {} characters, at most {NAME_LEN_MAX}", name.len());
            Finding::new(&file.path, line, message)
        }));
    }
    by_crate
}

/// Returns a finding for each test that the page of guarantees names and no source has.
pub(crate) fn check_guarantees(tree: &Tree) -> Vec<Finding> {
    let Some(page) = tree.file(GUARANTEES) else { return Vec::new() };
    let known: BTreeSet<&str> =
        tree.with_extension("rs").flat_map(|file| functions(&file.text)).collect();
    let mut findings = Vec::new();
    for line in pages::lines(&page.text).filter(|line| line.text.starts_with('|')) {
        for span in pages::spans(line.text) {
            let name = span.rsplit("::").next().unwrap_or(span);
            // Flags, types and commands are in these cells too; tests have claims for names.
            let is_test = name.matches('_').count() > 1
                && name.bytes().all(|sign| sign.is_ascii_alphanumeric() || sign == b'_');
            if is_test && !known.contains(name) {
                let message = format!("`{name}`: no function has this name; was the test renamed?");
                findings.push(Finding::new(GUARANTEES, line.number, message));
            }
        }
    }
    findings
}

/// Returns the names of all functions in a source.
fn functions(source: &str) -> impl Iterator<Item = &str> {
    source.split("fn ").skip(1).map(|after| {
        let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        after.get(..end.unwrap_or(after.len())).unwrap_or_default()
    })
}

/// Returns the tests of a source, with their lines.
fn tests(file: &File) -> Vec<(usize, &str)> {
    let scanned = scan(&file.text);
    let mut found = Vec::new();
    let mut follows = false;
    for (at, line) in file.text.lines().enumerate() {
        // A `#[test]` in a comment or an example is no test.
        if scanned.code_lines.binary_search(&(at + 1)).is_err() {
            continue;
        }
        let line = line.trim_start();
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            follows = true;
        } else if follows && !line.starts_with("#[") {
            // Further attributes stand between the mark and the name.
            found.extend(functions(line).next().map(|name| (at + 1, name)));
            follows = false;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_tests_are_measured_and_others_not() {
        let long = "a".repeat(NAME_LEN_MAX + 1);
        let text = format!(
            "fn {long}() {{}}\n#[test]\n#[cfg(unix)]\nfn b{long}() {{}}\n// #[test]\nfn c{long}() {{}}\n"
        );
        let findings = check(&Tree::of(&[("crates/a/src/lib.rs", &text)]));
        assert_eq!(findings.iter().map(|finding| finding.line).collect::<Vec<_>>(), [4]);
    }

    #[test]
    fn a_guarantee_whose_test_was_renamed_is_found() {
        let page = "| Durable | on disk | `crash::*`, `it_is_there`, `it_was_there` |\n";
        let source = "fn it_is_there() {}\n";
        let tree = Tree::of(&[(GUARANTEES, page), ("crates/a/tests/it.rs", source)]);
        let findings = check_guarantees(&tree);
        assert_eq!(findings.len(), 1);
        assert!(findings[0].to_string().contains("it_was_there"));
    }
}
