//! The width of lines.
//!
//! Rust code has at most 100 columns, which rustfmt sees to. Comments, Markdown and TOML have at most
//! [`COLUMNS_MAX`]. Exempt are rows of tables, lines with a URL, code between fences, and literals, because none
//! of these can be broken.

use std::collections::BTreeMap;

use super::Finding;
use super::lexer::scan;
use super::pages;
use super::tree::{File, Tree};
use super::voice::crate_of;

/// The most columns of a line, in characters.
const COLUMNS_MAX: usize = 120;

/// Returns a finding for each line that is too wide.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings: Vec<_> = by_crate(tree).into_values().flatten().collect();
    for file in tree.with_extension("toml") {
        let lines = file.text.lines().enumerate();
        // A quoted value can't be broken.
        let wide = lines.filter(|(_, line)| is_wide(line) && !line.contains('"'));
        findings.extend(wide.map(|(at, line)| finding(file, at + 1, line)));
    }
    findings
}

/// Returns the lines of sources and pages that are too wide, by crate.
pub(crate) fn by_crate(tree: &Tree) -> BTreeMap<&str, Vec<Finding>> {
    let mut by_crate: BTreeMap<&str, Vec<Finding>> = BTreeMap::new();
    for file in tree.with_extension("rs") {
        by_crate.entry(crate_of(&file.path)).or_default().extend(rust(file));
    }
    for file in tree.with_extension("md") {
        // A broken row is no row of its table any more.
        let wide = pages::lines(&file.text)
            .filter(|line| !line.is_code && !line.text.starts_with('|') && is_wide(line.text));
        let wide = wide.map(|line| finding(file, line.number, line.text));
        // A page in a crate is a part of its documentation, as the comments are.
        by_crate.entry(crate_of(&file.path)).or_default().extend(wide);
    }
    by_crate
}

/// Returns the comments that are too wide. rustfmt leaves them as they are.
fn rust(file: &File) -> Vec<Finding> {
    let scanned = scan(&file.text);
    let lines = file.text.lines().enumerate().map(|(at, line)| (at + 1, line));
    lines
        .filter(|(_, line)| is_wide(line))
        // rustfmt has broken what can be broken of code; the rest are literals.
        .filter(|(number, _)| scanned.code_lines.binary_search(number).is_err())
        .filter(|(_, line)| !line.trim_start_matches(['/', '!', ' ']).starts_with('|'))
        .map(|(number, line)| finding(file, number, line))
        .collect()
}

fn is_wide(line: &str) -> bool {
    // Columns are characters: bytes would count an arrow three times.
    line.chars().count() > COLUMNS_MAX && !line.contains("://")
}

fn finding(file: &File, line: usize, text: &str) -> Finding {
    let columns = text.chars().count();
    let message = format!("the line has {columns} columns, at most {COLUMNS_MAX}");
    Finding::new(&file.path, line, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_of(path: &str, text: &str) -> Vec<usize> {
        check(&Tree::of(&[(path, text)])).iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn wide_comments_are_found_and_literals_exempt() {
        let long = "x".repeat(COLUMNS_MAX);
        let text = format!("// {long}\nlet s = \"{long}\";\n/// | {long} |\n");
        assert_eq!(lines_of("crates/a/src/lib.rs", &text), [1]);
    }

    #[test]
    fn tables_urls_and_fences_of_pages_are_exempt() {
        let long = "x ".repeat(COLUMNS_MAX);
        let text = format!("{long}\n| {long} |\n```\n{long}\n```\nhttps://{long}\n");
        assert_eq!(lines_of("README.md", &text), [1]);
    }
}
