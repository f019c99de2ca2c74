//! Links between Markdown pages: each leads to a file that exists and to one of its headings.

use std::path::{Component, Path, PathBuf};

use super::Finding;
use super::pages;
use super::tree::{File, Tree};

/// Returns a finding for each link to a file or a heading that does not exist.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.with_extension("md") {
        for line in pages::lines(&file.text).filter(|line| !line.is_code) {
            for target in targets(line.text) {
                if let Err(message) = resolve(tree, file, target) {
                    findings.push(Finding::new(&file.path, line.number, message));
                }
            }
        }
    }
    findings
}

/// Returns the targets of the links in a line.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|after| after.split_once(')').map(|(target, _)| target))
}

fn resolve(tree: &Tree, from: &File, target: &str) -> Result<(), String> {
    // Other sites are not asked, and `crate::` is rustdoc's.
    if target.contains("://") || target.contains("::") {
        return Ok(());
    }
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let path = if path.is_empty() { from.path.clone() } else { join(&from.path, path) };
    let Some(page) = tree.file(&path) else {
        return Err(format!("the link `{target}` leads to {path}, which does not exist"));
    };
    if anchor.is_empty() || headings(&page.text).any(|heading| slug(heading) == anchor) {
        return Ok(());
    }
    Err(format!("the link `{target}` leads to a heading that {path} lacks"))
}

/// Returns the path that `target` leads to from the file `from`.
fn join(from: &str, target: &str) -> String {
    let mut path = PathBuf::from(from);
    path.pop();
    for part in Path::new(target).components() {
        match part {
            Component::ParentDir => {
                path.pop();
            }
            // `./a.md` is `a.md`.
            Component::CurDir => {}
            part => path.push(part),
        }
    }
    path.to_string_lossy().into_owned()
}

fn headings(page: &str) -> impl Iterator<Item = &str> {
    pages::lines(page)
        .filter(|line| !line.is_code && line.text.starts_with('#'))
        .map(|line| line.text.trim_start_matches('#').trim())
}

/// Returns the anchor of a heading, by GitHub's rule.
fn slug(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect::<String>().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_to_files_and_headings_are_followed() {
        let page = "[a](docs/a.md) [b](docs/a.md#the-limits) [c](docs/b.md) [d](docs/a.md#no) [e](https://x)\n";
        let tree = Tree::of(&[
            ("README.md", page),
            ("docs/a.md", "# A\n## The `Limits`\n[r](../README.md)\n"),
        ]);
        let found: Vec<_> = check(&tree).iter().map(ToString::to_string).collect();
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("docs/b.md, which does not exist"));
        assert!(found[1].contains("a heading that docs/a.md lacks"));
    }
}
