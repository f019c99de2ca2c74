//! The commands of the book, run in the order of their page.
//!
//! A fence of the language `console` has commands after `$ ` and the output below them. A line of a command that
//! ends in a backslash, or that is followed by an indented line, continues. In the output, `...` stands for any
//! number of lines and `[..]` for any part of a line; without an output, a command only has to succeed. A fence
//! below `<!-- file NAME -->` is a file in the directory that the commands run in. `statehold serve` in the
//! background listens on a free port instead of the one that the page names.

use std::fmt::Write as _;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The address that the pages name.
const ADDRESS: &str = "127.0.0.1:4646";

/// Begins the line after the output of each command: never in an output.
const MARK: &str = "==> end of command";

/// The first port to try: below those that the system assigns to the servers of other tests.
const PORT_MIN: u16 = 12_000;

/// A command with its output on the page.
struct Step {
    line: usize,
    command: String,
    output: Vec<String>,
}

/// The commands and the files of a page.
#[derive(Default)]
struct Session {
    steps: Vec<Step>,
    files: Vec<(String, String)>,
}

#[test]
fn every_command_of_the_book_gives_its_output() {
    let docs = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs"));
    let mut pages = Vec::new();
    find_pages(docs, &mut pages);
    let mut steps = 0;
    for page in &pages {
        let session = Session::read(&fs::read_to_string(page).unwrap());
        steps += session.steps.len();
        if !session.steps.is_empty() {
            session.run(page);
        }
    }
    assert!(steps > 20, "only {steps} commands were found");
}

fn find_pages(dir: &Path, pages: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            find_pages(&path, pages);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            pages.push(path);
        }
    }
    pages.sort();
}

impl Session {
    fn read(page: &str) -> Self {
        let mut session = Self::default();
        let mut lines = page.lines().enumerate();
        let mut file = None;
        while let Some((_, line)) = lines.next() {
            let named = line.strip_prefix("<!-- file ").and_then(|line| line.strip_suffix(" -->"));
            let Some(language) = line.trim().strip_prefix("```") else {
                file = named.or(file.filter(|_| line.is_empty()));
                continue;
            };
            let code: Vec<_> =
                lines.by_ref().take_while(|(_, line)| line.trim() != "```").collect();
            if let Some(name) = file.take() {
                let lines: Vec<&str> = code.iter().map(|(_, line)| &**line).collect();
                let text = lines.join("\n") + "\n";
                session.files.push((name.to_owned(), text));
            } else if language == "console" {
                session.read_steps(&code);
            }
        }
        session
    }

    fn read_steps(&mut self, code: &[(usize, &str)]) {
        for (at, line) in code {
            if let Some(command) = line.strip_prefix("$ ") {
                let (line, command) = (at + 1, command.to_owned());
                self.steps.push(Step { line, command, output: Vec::new() });
                continue;
            }
            let step = self.steps.last_mut().expect("a session begins with a command");
            let continues = step.output.is_empty()
                && (line.starts_with([' ', '\t']) || step.command.ends_with('\\'));
            if continues {
                step.command.push('\n');
                step.command.push_str(line);
            } else {
                step.output.push((*line).to_owned());
            }
        }
    }

    fn run(&self, page: &Path) {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in &self.files {
            fs::write(dir.path().join(name), text).unwrap();
        }
        let (port, reserved) = free_port();
        drop(reserved);
        let mut script = String::from(
            "set -u\nmkfifo ready\nexec 9<>ready\ntrap 'kill $(jobs -p) 2>/dev/null; wait' EXIT\n",
        );
        for step in &self.steps {
            let command = step.command.replace(ADDRESS, &format!("127.0.0.1:{port}"));
            if let Some(serve) = serves(&command) {
                let bind = format!("--bind 127.0.0.1:{port}");
                // The server prints a line once it listens.
                writeln!(script, "{serve} {bind} >ready 2>>log &\nread -r listening <&9").unwrap();
            } else {
                writeln!(script, "{command}").unwrap();
            }
            writeln!(script, "printf '\\n{MARK} %s\\n' $?").unwrap();
        }
        let program = Path::new(env!("CARGO_BIN_EXE_statehold"));
        let path = std::env::var("PATH").unwrap_or_default();
        let path = format!("{}:{path}", program.parent().unwrap().display());
        let output = Command::new("bash")
            .args(["-c", &script])
            .current_dir(dir.path())
            .env("PATH", path)
            .output()
            .expect("bash, which runs the commands of the pages");
        let (out, err) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let log = fs::read_to_string(dir.path().join("log")).unwrap_or_default();
        let mut rest = &*out;
        for step in &self.steps {
            let about = format!("{}:{}: {}", page.display(), step.line, step.command);
            let Some((text, after)) = rest.split_once(&format!("\n{MARK} ")) else {
                panic!("{about}\nit did not end: {out}{err}{log}");
            };
            let (status, after) = after.split_once('\n').unwrap();
            assert_eq!(status, "0", "{about}\n{text}{err}{log}");
            let found: Vec<_> = text.lines().collect();
            let wanted: Vec<_> = step.output.iter().map(String::as_str).collect();
            assert!(
                wanted.is_empty() || matches(&wanted, &found),
                "{about}\nthe output is:\n{text}\n{err}{log}"
            );
            rest = after;
        }
    }
}

/// Returns a `statehold serve` in the background without its `&`.
fn serves(command: &str) -> Option<&str> {
    let inner = command.strip_suffix(" &")?;
    inner.contains("statehold serve").then_some(inner)
}

/// Returns a free port and its listener.
fn free_port() -> (u16, TcpListener) {
    let first = PORT_MIN + u16::try_from(std::process::id() % 10_000).unwrap();
    (first..first + 1000)
        .find_map(|port| Some((port, TcpListener::bind(("127.0.0.1", port)).ok()?)))
        .expect("a free port")
}

/// Returns whether the lines of an output are those of a page.
fn matches(wanted: &[&str], found: &[&str]) -> bool {
    let Some((first, rest)) = wanted.split_first() else { return found.is_empty() };
    if *first == "..." {
        return (0..=found.len()).any(|skipped| matches(rest, &found[skipped..]));
    }
    found
        .split_first()
        .is_some_and(|(line, after)| line_matches(first, line) && matches(rest, after))
}

fn line_matches(wanted: &str, found: &str) -> bool {
    let mut parts = wanted.trim_end().split("[..]");
    let found = found.trim_end();
    let Some(mut rest) = found.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let mut is_open = false;
    for part in parts {
        is_open = part.is_empty();
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    is_open || rest.is_empty()
}

#[test]
fn ellipses_of_an_output_stand_for_lines_and_parts() {
    assert!(matches(&["a", "...", "d"], &["a", "b", "c", "d"]));
    assert!(matches(&["...", "index [..], [..]"], &["x", "index 3, on disk"]));
    assert!(!matches(&["a", "..."], &["b"]));
    assert!(!matches(&["a [..] c"], &["a b d"]));
    assert!(!matches(&["a"], &["a", "b"]));
}
