//! `cargo xtask tidy`: wording, line width, links, the code map, code in pages, and the tables
//! that pages repeat.
//!
//! Each check is a module with a function from the [`Tree`] to [`Finding`]s. A finding names the file, the
//! line, the word and the rule, so that an editor can jump to it.

mod ceilings;
mod code_map;
mod endpoints;
mod flags;
mod lexer;
mod links;
mod metrics;
mod operators;
mod pages;
mod snippets;
mod test_names;
mod tree;
mod voice;
mod width;

use std::fmt;
use std::io;
use std::path::Path;

use self::tree::Tree;

/// A violation of a rule at a line of a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    path: String,
    /// Counted from 1.
    line: usize,
    message: String,
}

impl Finding {
    fn new(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.message)
    }
}

/// Runs every check on the workspace at `root`, prints the counts of each crate, and returns the findings.
pub(crate) fn run(root: &Path) -> io::Result<Vec<Finding>> {
    let tree = Tree::read(root)?;
    let counts = voice::count(&tree);
    print!("{}", voice::table(&counts, &width::by_crate(&tree), &test_names::by_crate(&tree)));
    let mut findings = voice::check(&counts);
    for check in [
        width::check,
        test_names::check,
        test_names::check_guarantees,
        links::check,
        code_map::check,
        operators::check,
        endpoints::check_nomad,
        endpoints::check_block_storage,
        metrics::check,
        flags::check,
        snippets::check,
        metrics::check_dashboard,
    ] {
        findings.extend(check(&tree));
    }
    Ok(findings)
}
