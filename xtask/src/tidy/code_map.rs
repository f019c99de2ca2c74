//! The code map of ARCHITECTURE.md: each row names modules that exist, and each module is in a row.
//!
//! A row covers the modules that it names and everything in them.

use std::collections::BTreeSet;

use super::Finding;
use super::pages;
use super::tree::Tree;

const PAGE: &str = "ARCHITECTURE.md";

/// Files that are no module of their own: roots of crates.
const ROOTS: [&str; 2] = ["lib", "main"];

/// Returns a finding for each row without its module, and for each module without a row.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let Some(page) = tree.file(PAGE) else {
        return vec![Finding::new(PAGE, 1, "the page does not exist")];
    };
    let mut findings = Vec::new();
    let mut mapped = BTreeSet::new();
    for line in pages::lines(&page.text) {
        let Some(heading) = line.text.strip_prefix("### `") else { continue };
        let Some(dir) = heading.strip_suffix('`') else { continue };
        let modules = modules(tree, dir);
        mapped.insert(dir.to_owned());
        if modules.is_empty() {
            let message = format!("`{dir}` has no modules: does the crate exist?");
            findings.push(Finding::new(PAGE, line.number, message));
        }
        let mut named: Vec<String> = Vec::new();
        for (number, cells) in pages::rows(&page.text, line.text).into_iter().skip(1) {
            let spans = cells.first().into_iter().flat_map(|cell| pages::spans(cell));
            for span in spans.filter(|span| !ROOTS.contains(span)) {
                // Files that are no modules have rows too, such as `language.md`.
                if span.contains('.') {
                    if tree.file(&format!("{dir}/src/{span}")).is_none() {
                        let message = format!("`{span}` is no file of {dir}/src");
                        findings.push(Finding::new(PAGE, number, message));
                    }
                    continue;
                }
                let before = named.last().map(String::as_str);
                if let Some(module) = resolve(&modules, span, before) {
                    named.push(module);
                } else {
                    let message = format!("`{span}` is no module of {dir}");
                    findings.push(Finding::new(PAGE, number, message));
                }
            }
        }
        // A crate without a table is described by its heading alone.
        if named.is_empty() {
            continue;
        }
        for module in modules.iter().filter(|module| !is_covered(&named, module)) {
            let message = format!("module `{module}` of {dir} is in no row of the code map");
            findings.push(Finding::new(PAGE, line.number, message));
        }
    }
    let crates: BTreeSet<&str> = tree.sources().filter_map(|file| crate_dir(&file.path)).collect();
    for dir in crates.into_iter().filter(|dir| !mapped.contains(*dir)) {
        findings.push(Finding::new(
            PAGE,
            1,
            format!("crate `{dir}` has no heading in the code map"),
        ));
    }
    findings
}

/// Returns the directory of the crate that a source is in.
fn crate_dir(path: &str) -> Option<&str> {
    path.split_once("/src/").map(|(dir, _)| dir)
}

/// Returns the modules of a crate, as paths with `::`. Modules of tests are left out.
fn modules(tree: &Tree, dir: &str) -> BTreeSet<String> {
    let prefix = format!("{dir}/src/");
    let files = tree.with_extension("rs").filter_map(|file| file.path.strip_prefix(&prefix));
    files
        .map(|path| path.trim_end_matches(".rs").trim_end_matches("/mod"))
        .filter(|path| !ROOTS.contains(path) && !path.starts_with("bin/"))
        .filter(|path| !path.split('/').any(|part| part == "tests" || part.ends_with("_tests")))
        .map(|path| path.replace('/', "::"))
        .collect()
}

/// Returns the module that a row names: from the root of the crate, or a sibling of the one `before` it.
fn resolve(modules: &BTreeSet<String>, name: &str, before: Option<&str>) -> Option<String> {
    let exists = |module: &String| {
        modules.contains(module) || modules.iter().any(|one| is_within(one, module))
    };
    let own = Some(name.to_owned()).filter(exists);
    // `ops::create`, `attach`: the second one is a module of `ops` too.
    let mut parents = before.into_iter().flat_map(|before| {
        std::iter::successors(Some(before), |path| path.rsplit_once("::").map(|(up, _)| up)).skip(1)
    });
    own.or_else(|| parents.find_map(|parent| Some(format!("{parent}::{name}")).filter(exists)))
}

fn is_within(module: &str, parent: &str) -> bool {
    module.strip_prefix(parent).is_some_and(|rest| rest.starts_with("::"))
}

fn is_covered(named: &[String], module: &str) -> bool {
    named.iter().any(|one| {
        one == module
            || is_within(module, one)
            // A parent whose children have rows of their own needs none.
            || is_within(one, module)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(page: &str) -> Vec<String> {
        let tree = Tree::of(&[
            (PAGE, page),
            ("crates/a/src/lib.rs", ""),
            ("crates/a/src/ops/mod.rs", ""),
            ("crates/a/src/ops/create.rs", ""),
            ("crates/a/src/ops/attach.rs", ""),
            ("crates/a/src/view.rs", ""),
            ("crates/a/src/view/tests.rs", ""),
        ]);
        check(&tree).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn rows_name_modules_and_modules_have_rows() {
        let rows = "| `ops::create`, `attach` | x |\n| `view` | y |\n";
        assert_eq!(
            found(&format!("### `crates/a`\n| module | what |\n|---|---|\n{rows}")),
            [""; 0]
        );
    }

    #[test]
    fn a_row_without_a_module_and_a_module_without_a_row_are_found() {
        let found = found("### `crates/a`\n| module | what |\n|---|---|\n| `ops`, `gone` | x |\n");
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("ARCHITECTURE.md:4: `gone` is no module"));
        assert!(found[1].contains("module `view` of crates/a is in no row"));
    }

    #[test]
    fn a_crate_without_a_heading_is_found() {
        assert_eq!(found("# nothing\n").len(), 1);
    }
}
