//! The operators of the filter language: pages name no operator that `language.md` lacks.

use super::Finding;
use super::pages;
use super::tree::Tree;

/// The page of the language, which tests of the filter crate hold to the code.
const LANGUAGE: &str = "crates/filter/src/language.md";

/// Lines with this word list operators of the extended dialect.
const MARK: &str = "--extended";

/// Returns a finding for each operator on a line about the extended dialect that the language lacks.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let Some(language) = tree.file(LANGUAGE) else {
        return vec![Finding::new(LANGUAGE, 1, "the page does not exist")];
    };
    let known: Vec<&str> = pages::rows(&language.text, "# Operators by kind")
        .into_iter()
        .filter_map(|(_, cells)| pages::spans(cells.first()?).next())
        .collect();
    let mut findings = Vec::new();
    if known.is_empty() {
        findings.push(Finding::new(LANGUAGE, 1, "the table below `# Operators by kind` is empty"));
    }
    for file in tree.with_extension("md").filter(|file| file.path != LANGUAGE) {
        for line in pages::lines(&file.text).filter(|line| !line.is_code) {
            // The changelog names operators that are gone.
            if !line.text.contains(MARK) || file.path == "CHANGELOG.md" {
                continue;
            }
            for span in pages::spans(line.text).filter(|span| !span.starts_with('-')) {
                // `in [..]` stands for `x in [v, v]`.
                let operator = span.split('[').next().unwrap_or(span).trim();
                if !known.iter().any(|row| has_operator(row, operator)) {
                    let message = format!("`{span}` is no operator of {LANGUAGE}");
                    findings.push(Finding::new(&file.path, line.number, message));
                }
            }
        }
    }
    findings
}

/// Returns whether a row of the table, such as `x starts with v`, is about an operator.
fn has_operator(row: &str, operator: &str) -> bool {
    !operator.is_empty() && format!(" {row} ").contains(&format!(" {operator} "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operator_that_the_language_lacks_is_found() {
        let language = "# Operators by kind\n| operator | text |\n|---|---|\n| `x < v` | E |\n| `x in [v, v]` | E |\n";
        let readme = "`--extended` has `<`, `in [..]` and `like`.\n";
        let tree = Tree::of(&[("README.md", readme), (LANGUAGE, language)]);
        let found: Vec<_> = check(&tree).iter().map(ToString::to_string).collect();
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("README.md:1: `like`"));
    }
}
