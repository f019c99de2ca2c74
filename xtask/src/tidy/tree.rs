//! The files that the checks read.

use std::fs;
use std::io;
use std::path::Path;

/// Directories that hold no source: build output and corpora of fuzzers.
const SKIPPED: [&str; 4] = ["target", "corpus", "artifacts", "seeds"];

/// A text file of the workspace.
#[derive(Debug)]
pub(crate) struct File {
    /// Relative to the root of the workspace, with `/` between its parts.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// The directories whose files of other kinds are read too: pages quote them.
const QUOTED: [&str; 2] = ["docs/", "deploy/"];

/// The Rust, Markdown and TOML files of the workspace, and all files of [`QUOTED`], by path.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    files: Vec<File>,
}

impl Tree {
    /// Reads the files below `root`. Hidden directories are skipped.
    pub(crate) fn read(root: &Path) -> io::Result<Self> {
        let mut tree = Self::default();
        tree.read_dir(root, "")?;
        tree.files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(tree)
    }

    fn read_dir(&mut self, dir: &Path, prefix: &str) -> io::Result<()> {
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let kind = entry.file_type()?;
            let path = format!("{prefix}{name}");
            if kind.is_dir() {
                // Hidden directories hold tools' files, such as `.git`.
                if !name.starts_with('.') && !SKIPPED.contains(&name.as_str()) {
                    self.read_dir(&entry.path(), &format!("{path}/"))?;
                }
            } else if kind.is_file() && is_read(&path) {
                self.files.push(File { text: fs::read_to_string(entry.path())?, path });
            }
        }
        Ok(())
    }

    /// Creates a tree from paths and texts.
    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let own = |(path, text): &(&str, &str)| File {
            path: (*path).to_owned(),
            text: (*text).to_owned(),
        };
        Self { files: files.iter().map(own).collect() }
    }

    /// Returns the files whose name ends with `.` and `extension`.
    pub(crate) fn with_extension(&self, extension: &str) -> impl Iterator<Item = &File> {
        self.files.iter().filter(move |file| {
            Path::new(&file.path).extension().is_some_and(|found| found == extension)
        })
    }

    /// Returns the Rust files below `src` of the crates in `crates`.
    pub(crate) fn sources(&self) -> impl Iterator<Item = &File> {
        let is_source =
            |file: &&File| file.path.starts_with("crates/") && file.path.contains("/src/");
        self.with_extension("rs").filter(is_source)
    }

    /// Returns the file with a path, if it was read.
    pub(crate) fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }
}

fn is_read(path: &str) -> bool {
    let extension = Path::new(path).extension().and_then(|found| found.to_str());
    matches!(extension, Some("rs" | "md" | "toml"))
        || QUOTED.iter().any(|dir| path.starts_with(dir))
}
