//! Code in pages: a quote equals the file that it is from, and any other Rust is compiled.
//!
//! A fence below the line `<!-- from PATH -->` is a quote of a file that the gate compiles or tests check. The
//! other Rust fences are examples of their own: their page MUST be included as documentation in `src`.

use super::Finding;
use super::pages;
use super::tree::{File, Tree};

/// Returns a finding for each quote that differs from its file, and each Rust fence that nothing compiles.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let is_page = |file: &&File| file.path.ends_with("README.md") || file.path.starts_with("docs/");
    let mut findings = Vec::new();
    for page in tree.with_extension("md").filter(is_page) {
        for fence in fences(&page.text) {
            if let Err(message) = verify(tree, page, &fence) {
                findings.push(Finding::new(&page.path, fence.line, message));
            }
        }
    }
    findings
}

/// Code between two fences.
struct Fence<'p> {
    /// Of the opening fence, counted from 1.
    line: usize,
    language: &'p str,
    source: Option<&'p str>,
    code: Vec<&'p str>,
}

fn fences(page: &str) -> Vec<Fence<'_>> {
    let mut found = Vec::new();
    let mut open: Option<Fence<'_>> = None;
    let mut source = None;
    for line in pages::lines(page) {
        let text = line.text.trim();
        if let Some(fence) = &mut open {
            // A fence with a language inside of another one is code.
            if text == "```" {
                found.extend(open.take());
            } else {
                fence.code.push(line.text);
            }
        } else if let Some(language) = text.strip_prefix("```") {
            open = Some(Fence { line: line.number, language, source, code: Vec::new() });
            source = None;
        } else {
            let inner = text.strip_prefix("<!-- from ").and_then(|text| text.strip_suffix(" -->"));
            // The comment belongs to a fence below it and not to a later one.
            source = inner.or(source.filter(|_| text.is_empty()));
        }
    }
    found
}

fn verify(tree: &Tree, page: &File, fence: &Fence<'_>) -> Result<(), String> {
    let Some(path) = fence.source else {
        // rustdoc compiles the fences of a page that is documentation.
        let is_compiled = || {
            // Of the crate that has the page, or of the facade.
            let (of_crate, name) = match page.path.strip_suffix("README.md") {
                Some(of_crate) => (of_crate, "README.md"),
                None => ("", page.path.as_str()),
            };
            let sources = format!("{of_crate}src/");
            let included = format!("include_str!(\"../{name}\")");
            tree.with_extension("rs")
                .any(|file| file.path.starts_with(&sources) && file.text.contains(&included))
        };
        if fence.language.split(',').next() == Some("rust") && !is_compiled() {
            return Err(
                "nothing compiles this: include the page in `src/book.rs`, or quote a file"
                    .to_owned(),
            );
        }
        return Ok(());
    };
    let file = tree.file(path).ok_or_else(|| format!("{path} does not exist"))?;
    // A quote of an inner block may stand further to the left.
    let wanted: Vec<_> = fence.code.iter().map(|line| line.trim()).collect();
    let lines: Vec<_> = file.text.lines().map(str::trim).collect();
    if lines.windows(wanted.len().max(1)).any(|window| window == wanted) {
        return Ok(());
    }
    // Lines that exist elsewhere in the file are out of order, so that no single line is at fault.
    let absent = wanted.iter().find(|line| !lines.contains(line));
    let line = absent.map_or_else(String::new, |line| format!(": it lacks `{line}`"));
    Err(format!("this is no quote of {path}{line}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(page: &str) -> Vec<String> {
        let files = [
            ("docs/a.md", page),
            ("docs/b.md", "```rust\nfn c() {}\n```\n"),
            ("src/book.rs", "#[doc = include_str!(\"../docs/b.md\")]\n"),
            ("examples/e.rs", "fn main() {\n    let a = 1;\n    let b = 2;\n}\n"),
        ];
        check(&Tree::of(&files)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_quote_equals_lines_of_its_file() {
        let quote = "<!-- from examples/e.rs -->\n```rust\nlet a = 1;\nlet b = 2;\n```\n";
        assert_eq!(found(quote), Vec::<String>::new());
        let other = quote.replace("b = 2", "b = 3");
        assert_eq!(
            found(&other),
            ["docs/a.md:2: this is no quote of examples/e.rs: it lacks `let b = 3;`"]
        );
        assert_eq!(
            found(&quote.replace("e.rs", "f.rs")),
            ["docs/a.md:2: examples/f.rs does not exist"]
        );
    }

    #[test]
    fn readme_of_a_crate_is_included_by_that_crate() {
        let readme = "```rust\nfn a() {}\n```\n";
        let own = ("crates/a/src/lib.rs", "#[doc = include_str!(\"../README.md\")]\n");
        let tree = Tree::of(&[("crates/a/README.md", readme), own]);
        assert_eq!(check(&tree), []);
        let tree = Tree::of(&[("crates/b/README.md", readme), own]);
        assert_eq!(check(&tree).len(), 1);
    }

    #[test]
    fn rust_that_nothing_compiles_is_found() {
        let found = found("```console\n$ true\n```\n\n```rust,no_run\nfn d() {}\n```\n");
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("docs/a.md:5: nothing compiles this"));
    }
}
