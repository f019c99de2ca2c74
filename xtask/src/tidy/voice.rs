//! The wording of comments: words that stand for a missing noun, and verbs that are missing.
//!
//! Counted are `//`, `///` and `//!` comments and the text of `#[doc = ..]`, without fenced code. Words in code
//! spans count as words, but break no rule. String literals are not comments.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::Finding;
use super::ceilings::{Ceilings, TARGET};
use super::lexer::{Comment, Kind, scan};
use super::tree::Tree;

/// Occurrences that are listed of a rule that a crate breaks; further ones are counted only.
const LISTED_MAX: usize = 20;

/// The fewest lines of code in `src` that are held to the floor of `//` lines.
const CODE_LINES_MIN: u32 = 50;

/// A group of words with a common ceiling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rule {
    /// A clause where the field has a noun.
    What,
    /// A pronoun where the sentence has an actor.
    Who,
    /// A verb of speech where a program returns, logs or reports.
    Told,
    /// A pronoun for a person.
    He,
}

impl Rule {
    const ALL: [Self; 4] = [Self::What, Self::Who, Self::Told, Self::He];

    fn words(self) -> &'static [&'static str] {
        match self {
            Self::What => &["what"],
            Self::Who => &["who", "whom", "whoever", "nobody", "somebody", "everybody"],
            Self::Told => &["told", "tells", "says"],
            Self::He => &["he", "him", "his"],
        }
    }

    fn advice(self) -> &'static str {
        match self {
            Self::What => "use the field's noun",
            Self::Who => "name the actor: the worker, the client, the caller",
            Self::Told => "use return, log or report",
            Self::He => "name the actor",
        }
    }

    fn ceiling(self, of: &Ceilings) -> f64 {
        match self {
            Self::What => of.what,
            Self::Who => of.who,
            Self::Told => of.told,
            Self::He => of.he,
        }
    }

    fn find(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.words().contains(&word))
    }
}

/// Words that state a contract or a result.
const CONTRACT: [&str; 3] = ["must", "should", "returns"];

/// An occurrence of a counted word.
#[derive(Clone, Debug)]
struct Occurrence {
    rule: Rule,
    path: String,
    line: usize,
    word: String,
}

/// The counts of one crate.
#[derive(Debug, Default)]
pub(crate) struct Count {
    words: u32,
    contract: u32,
    /// Lines of `//` comments in `src`.
    why_lines: u32,
    /// Lines of code in `src`.
    code_lines: u32,
    found: Vec<Occurrence>,
}

impl Count {
    /// Returns `of` for each 1,000 words of comments.
    fn rate(&self, of: u32) -> f64 {
        if self.words == 0 { 0.0 } else { f64::from(of) * 1000.0 / f64::from(self.words) }
    }

    fn rate_of(&self, rule: Rule) -> f64 {
        let count = self.found.iter().filter(|one| one.rule == rule).count();
        self.rate(u32::try_from(count).unwrap_or(u32::MAX))
    }

    /// Returns the `//` lines for each 100 lines of code.
    fn why(&self) -> f64 {
        // Benches and fuzz targets have no `src`, and a crate of re-exports has no branches to explain.
        if self.code_lines < CODE_LINES_MIN {
            return TARGET.why;
        }
        f64::from(self.why_lines) * 100.0 / f64::from(self.code_lines)
    }

    fn add(&mut self, path: &str, source: &str) {
        let scanned = scan(source);
        for (line, text) in prose(&scanned.comments) {
            for (word, is_code) in words(text) {
                self.words += 1;
                self.contract += u32::from(CONTRACT.contains(&word.as_str()));
                if let Some(rule) = Rule::find(&word).filter(|_| !is_code) {
                    self.found.push(Occurrence { rule, path: path.to_owned(), line, word });
                }
            }
        }
        // The branches of tests are explained by the tests' names.
        if path.starts_with("src/") || path.contains("/src/") {
            let plain = scanned.comments.iter().filter(|one| one.kind == Kind::Plain).count();
            self.why_lines += u32::try_from(plain).unwrap_or(u32::MAX);
            self.code_lines += u32::try_from(scanned.code_lines.len()).unwrap_or(u32::MAX);
        }
    }
}

/// Returns the name of the crate that a Rust file belongs to.
pub(crate) fn crate_of(path: &str) -> &str {
    let mut parts = path.split('/');
    match (parts.next(), parts.next()) {
        (Some("crates"), Some(name)) => name,
        (Some("benches"), Some("compare")) => "compare",
        (Some(own @ ("fuzz" | "xtask")), _) => own,
        // `src`, `examples`, `benches` and `tests` at the root.
        _ => "statehold",
    }
}

/// Counts the words of every crate.
pub(crate) fn count(tree: &Tree) -> BTreeMap<String, Count> {
    let mut counts: BTreeMap<String, Count> = BTreeMap::new();
    for file in tree.with_extension("rs") {
        let count = counts.entry(crate_of(&file.path).to_owned()).or_default();
        count.add(&file.path, &file.text);
    }
    counts
}

/// Returns the lines of comments that are prose, with their numbers: those outside of fences.
fn prose<'c>(comments: &'c [Comment<'c>]) -> Vec<(usize, &'c str)> {
    let mut found = Vec::new();
    let mut in_fence = false;
    let mut before: Option<(Kind, usize)> = None;
    for comment in comments {
        // A fence ends with its block of comments at the latest: rustdoc closes it there.
        let goes_on = before == Some((comment.kind, comment.line.saturating_sub(1)));
        in_fence &= goes_on;
        before = Some((comment.kind, comment.line));
        for (at, text) in comment.text.lines().enumerate() {
            if text.trim_start().starts_with("```") {
                in_fence = !in_fence;
            } else if !in_fence {
                found.push((comment.line + at, text));
            }
        }
    }
    found
}

/// Returns the words of a text in lower case, and whether each is in a code span. A word has a letter.
fn words(text: &str) -> impl Iterator<Item = (String, bool)> {
    text.split('`').enumerate().flat_map(|(at, part)| {
        part.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '\'')
            .filter(|word| word.contains(char::is_alphabetic))
            .map(move |word| (word.to_lowercase(), at % 2 == 1))
    })
}

/// Renders the counts: a line for each crate, and the bounds. `wide` and `long`
/// are the lines that are too wide and the names of tests that are too long.
pub(crate) fn table(
    counts: &BTreeMap<String, Count>,
    wide: &BTreeMap<&str, Vec<Finding>>,
    long: &BTreeMap<&str, Vec<Finding>>,
) -> String {
    let mut text = format!(
        "per 1,000 words of comments\n\
         {:<14} {:>6} {:>14} {:>14} {:>14} {:>12} {:>14} {:>16} {:>10} {:>10}\n",
        "crate",
        "words",
        "what",
        "who..",
        "told, says",
        "he..",
        "must, returns",
        "// per 100 lines",
        "wide lines",
        "long names"
    );
    for (name, count) in counts {
        let _ = write!(text, "{name:<14} {:>6}", count.words);
        for rule in Rule::ALL {
            let width = if rule == Rule::He { 12 } else { 14 };
            let _ = write!(text, " {:>width$.2}", count.rate_of(rule));
        }
        let (contract, why) = (count.rate(count.contract), count.why());
        let number = |of: &BTreeMap<&str, Vec<Finding>>| of.get(name.as_str()).map_or(0, Vec::len);
        let (wide, long) = (number(wide), number(long));
        let _ = writeln!(text, " {contract:>14.2} {why:>16.2} {wide:>10} {long:>10}");
    }
    let _ = writeln!(
        text,
        "{:<14} {:>6} {:>14} {:>14} {:>14} {:>12} {:>14} {:>16}",
        "target",
        "",
        format!("<={:.1}", TARGET.what),
        format!("<={:.1}", TARGET.who),
        format!("<={:.1}", TARGET.told),
        format!("<={:.1}", TARGET.he),
        format!(">={:.1}", TARGET.contract),
        format!(">={:.1}", TARGET.why),
    );
    text
}

/// Returns a finding for each occurrence of a word of which a crate has too many, and for each floor below
/// which a crate is.
pub(crate) fn check(counts: &BTreeMap<String, Count>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, count) in counts {
        for rule in Rule::ALL {
            let (rate, max) = (count.rate_of(rule), rule.ceiling(&TARGET));
            if rate <= max {
                continue;
            }
            // All occurrences are listed, old ones too: only their author knows which one is new.
            let all = count.found.iter().filter(|one| one.rule == rule);
            findings.extend(all.take(LISTED_MAX).map(|one| {
                let message = format!(
                    "`{}`: {}; crate {name} has {rate:.2} of {} per 1,000 words, at most {max:.2}",
                    one.word,
                    rule.advice(),
                    rule.words().join(", "),
                );
                Finding::new(&one.path, one.line, message)
            }));
        }
        // A floor is missed by a crate as a whole, so that its manifest stands for it.
        let manifest = match name.as_str() {
            "statehold" => "Cargo.toml".to_owned(),
            "compare" => "benches/compare/Cargo.toml".to_owned(),
            "fuzz" | "xtask" => format!("{name}/Cargo.toml"),
            _ => format!("crates/{name}/Cargo.toml"),
        };
        let contract = count.rate(count.contract);
        if contract < TARGET.contract {
            let message = format!(
                "must, should, returns: crate {name} has {contract:.2} per 1,000 words of comments, at \
                 least {:.2}: state contracts and results",
                TARGET.contract
            );
            findings.push(Finding::new(&manifest, 1, message));
        }
        if count.why() < TARGET.why {
            let message = format!(
                "`//` lines: crate {name} has {:.2} per 100 lines of code in src, at least {:.2}: give \
                 the reason at branches that do not show it",
                count.why(),
                TARGET.why
            );
            findings.push(Finding::new(&manifest, 1, message));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(source: &str) -> Count {
        let mut count = Count::default();
        count.add("crates/a/src/lib.rs", source);
        count
    }

    fn found(source: &str) -> Vec<(usize, String)> {
        counted(source).found.into_iter().map(|one| (one.line, one.word)).collect()
    }

    #[test]
    fn words_of_comments_are_counted_with_their_line() {
        let source = "//! Says what.\n\n/// Returns it.\nfn f() {} // Nobody MUST.\n";
        let count = counted(source);
        assert_eq!((count.words, count.contract), (6, 2));
        let wanted = [(1, "says".to_owned()), (1, "what".to_owned()), (4, "nobody".to_owned())];
        assert_eq!(found(source), wanted);
    }

    #[test]
    fn fenced_code_is_not_counted() {
        let source = "/// a\n/// ```\n/// // what\n/// ```\n/// who\n";
        assert_eq!(found(source), [(5, "who".to_owned())]);
        assert_eq!(counted(source).words, 2);
    }

    #[test]
    fn an_open_fence_ends_with_its_block() {
        assert_eq!(found("/// ```\n/// what\nfn f() {}\n/// who\n"), [(4, "who".to_owned())]);
    }

    #[test]
    fn strings_are_not_counted() {
        assert_eq!(counted("fn f() -> &'static str { \"// what\" }").words, 0);
    }

    #[test]
    fn doc_attributes_are_counted_without_their_fences() {
        let source = "#[doc = \"what\n```\nwho\n```\nsays\"]\nstruct S;\n";
        assert_eq!(found(source), [(1, "what".to_owned()), (5, "says".to_owned())]);
    }

    #[test]
    fn code_spans_break_no_rule() {
        assert_eq!(found("/// Counts `what` and who.\nfn f() {}\n"), [(1, "who".to_owned())]);
        assert_eq!(counted("/// Counts `what` and who.\n").words, 4);
    }

    #[test]
    fn longer_words_are_other_words() {
        assert_eq!(found("// somewhat whatever whose this the history"), []);
    }

    #[test]
    fn why_lines_are_plain_comments_in_src() {
        let mut count = counted("// a\n/// b\nfn f() {\n    g() // c\n}\n");
        assert_eq!((count.why_lines, count.code_lines), (2, 3));
        count.add("crates/a/tests/it.rs", "// a\nfn f() {}\n");
        assert_eq!((count.why_lines, count.code_lines), (2, 3));
    }

    #[test]
    fn a_crate_above_a_ceiling_is_listed_by_file_line_and_word() {
        let text = "// what\n// Returns, because it must.\nfn f() {}\n";
        let findings = check(&count(&Tree::of(&[("crates/new/src/lib.rs", text)])));
        assert_eq!(findings.len(), 1, "{findings:?}");
        let text = findings[0].to_string();
        assert!(
            text.starts_with("crates/new/src/lib.rs:1: `what`: use the field's noun"),
            "{text}"
        );
    }

    #[test]
    fn files_belong_to_their_crate() {
        assert_eq!(crate_of("crates/store/tests/it/main.rs"), "store");
        assert_eq!(crate_of("benches/compare/lib.rs"), "compare");
        assert_eq!(crate_of("benches/store.rs"), "statehold");
        assert_eq!(crate_of("fuzz/lib.rs"), "fuzz");
    }
}
