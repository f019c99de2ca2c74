//! Comments and string literals of a Rust source.
//!
//! It knows as much of Rust as is needed to tell a comment from a string that looks like one: strings,
//! raw strings, characters against lifetimes, and nested block comments.

/// The kind of a comment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `//`, or a line of a block comment: for readers of the code.
    Plain,
    /// `///` or `//!`: a line of documentation.
    Doc,
    /// The literal of `#[doc = ".."]`, which may have several lines.
    Attribute,
}

/// A comment: one line of it, except for [`Kind::Attribute`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Comment<'s> {
    pub(crate) kind: Kind,
    /// The line that it begins on, counted from 1.
    pub(crate) line: usize,
    pub(crate) text: &'s str,
}

/// A string literal, without its quotes and with its escapes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Literal<'s> {
    pub(crate) line: usize,
    /// The offset of its prefix or quote, in bytes.
    pub(crate) start: usize,
    pub(crate) text: &'s str,
}

/// The parts of a source.
#[derive(Debug, Default)]
pub(crate) struct Scan<'s> {
    pub(crate) comments: Vec<Comment<'s>>,
    pub(crate) literals: Vec<Literal<'s>>,
    /// Lines with more than a comment, sorted.
    pub(crate) code_lines: Vec<usize>,
}

/// Reads a source. Text that is not Rust yields some parts, never a failure.
pub(crate) fn scan(source: &str) -> Scan<'_> {
    let mut lexer = Lexer { source, at: 0, line: 1, scan: Scan::default() };
    while let Some(next) = lexer.rest().chars().next() {
        lexer.step(next);
    }
    lexer.scan
}

/// Returns the part of a source before its tests, which stand at its end.
pub(crate) fn without_tests(source: &str) -> &str {
    match source.find("#[cfg(test)]\nmod ") {
        Some(end) => source.get(..end).unwrap_or(source),
        None => source,
    }
}

struct Lexer<'s> {
    source: &'s str,
    at: usize,
    line: usize,
    scan: Scan<'s>,
}

impl<'s> Lexer<'s> {
    fn rest(&self) -> &'s str {
        self.source.get(self.at..).unwrap_or_default()
    }

    /// Skips `len` bytes, and counts their lines.
    fn skip(&mut self, len: usize) -> &'s str {
        let passed = self.rest().get(..len).unwrap_or(self.rest());
        self.line += passed.matches('\n').count();
        self.at += passed.len();
        passed
    }

    /// Marks the current line as one with code.
    fn mark(&mut self) {
        if self.scan.code_lines.last() != Some(&self.line) {
            self.scan.code_lines.push(self.line);
        }
    }

    fn step(&mut self, next: char) {
        let rest = self.rest();
        // Comments come first, because they begin with signs that are code elsewhere.
        if rest.starts_with("//") {
            self.line_comment();
        } else if rest.starts_with("/*") {
            self.block_comment();
        } else if next == '"' {
            self.string(self.at);
        } else if next == '\'' {
            self.mark();
            self.quote();
        } else if next.is_alphabetic() || next == '_' {
            // Names are read as a whole, so that the `r` of `for` begins no raw string.
            self.mark();
            self.word();
        } else {
            if !next.is_whitespace() {
                self.mark();
            }
            self.skip(next.len_utf8());
        }
    }

    fn line_comment(&mut self) {
        let line = self.line;
        let len = self.rest().find('\n').unwrap_or(self.rest().len());
        let whole = self.skip(len);
        let is_doc = whole.starts_with("//!") || whole.starts_with("///");
        // Four slashes are a rule across the page, which rustdoc leaves out.
        let kind = if is_doc && !whole.starts_with("////") { Kind::Doc } else { Kind::Plain };
        let text = whole.trim_start_matches(['/', '!']);
        self.scan.comments.push(Comment { kind, line, text });
    }

    fn block_comment(&mut self) {
        let (start, first) = (self.at, self.line);
        let mut depth = 0_usize;
        loop {
            let rest = self.rest();
            if rest.starts_with("/*") {
                depth += 1;
                self.skip(2);
            } else if rest.starts_with("*/") {
                depth -= 1;
                self.skip(2);
            } else if let Some(next) = rest.chars().next() {
                self.skip(next.len_utf8());
            } else {
                break;
            }
            // Block comments nest in Rust, unlike in C.
            if depth == 0 {
                break;
            }
        }
        let whole = self.source.get(start..self.at).unwrap_or_default();
        for (at, text) in whole.lines().enumerate() {
            self.scan.comments.push(Comment { kind: Kind::Plain, line: first + at, text });
        }
    }

    /// Skips a string that began at `start`, from its quote on.
    fn string(&mut self, start: usize) {
        let line = self.line;
        self.skip(1);
        let from = self.at;
        let mut escaped = false;
        let end = self.rest().find(|c: char| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        });
        self.literal(start, line, from, end, 1);
    }

    /// Skips a raw string that began at `start`, from its signs or its quote on.
    fn raw_string(&mut self, start: usize, signs: usize) {
        let line = self.line;
        self.skip(signs + 1);
        let from = self.at;
        let end = self.rest().find(&format!("\"{}", "#".repeat(signs)));
        self.literal(start, line, from, end, signs + 1);
    }

    fn literal(&mut self, start: usize, line: usize, from: usize, end: Option<usize>, tail: usize) {
        let text = self.skip(end.unwrap_or(self.rest().len()));
        self.skip(tail);
        // Every line of a literal is code, also one that looks like a comment.
        for line in line..=self.line {
            if self.scan.code_lines.last().is_none_or(|&last| last < line) {
                self.scan.code_lines.push(line);
            }
        }
        debug_assert!(from >= start, "a literal begins before its text");
        if is_doc_attribute(self.source.get(..start).unwrap_or_default()) {
            self.scan.comments.push(Comment { kind: Kind::Attribute, line, text });
        } else {
            self.scan.literals.push(Literal { line, start, text });
        }
    }

    /// Skips a character, or the quote of a lifetime.
    fn quote(&mut self) {
        let mut after = self.rest().chars().skip(1);
        match (after.next(), after.next()) {
            (Some('\\'), _) => {
                // The escaped sign itself may be a quote.
                self.skip(2);
                let sign = self.rest().chars().next().map_or(0, char::len_utf8);
                self.skip(sign);
                let len = self.rest().find('\'').map_or(0, |end| end + 1);
                self.skip(len);
            }
            // A lifetime has no quote behind its first sign, unless it is a character.
            (Some(sign), Some('\'')) => {
                self.skip(2 + sign.len_utf8());
            }
            _ => {
                self.skip(1);
            }
        }
    }

    /// Skips a name, and the string that it is the prefix of.
    fn word(&mut self) {
        let start = self.at;
        let len = self.rest().find(|c: char| !c.is_alphanumeric() && c != '_');
        let word = self.skip(len.unwrap_or(self.rest().len()));
        let rest = self.rest();
        if matches!(word, "r" | "br" | "cr") {
            // `r#type` has a sign too, but no quote behind it.
            let signs = rest.bytes().take_while(|&sign| sign == b'#').count();
            if rest.get(signs..).is_some_and(|after| after.starts_with('"')) {
                self.raw_string(start, signs);
            }
        } else if matches!(word, "b" | "c") && rest.starts_with('"') {
            self.string(start);
        }
    }
}

/// Returns whether code that ends with `before` leads to the text of a `#[doc = ..]`.
fn is_doc_attribute(before: &str) -> bool {
    let name = before.trim_end().strip_suffix('=').map(str::trim_end);
    name.is_some_and(|code| code.ends_with("[doc"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(source: &str) -> Vec<(Kind, usize, &str)> {
        scan(source).comments.iter().map(|c| (c.kind, c.line, c.text.trim())).collect()
    }

    #[test]
    fn line_comments_have_their_kind_and_line() {
        let source = "//! a\n/// b\nfn f() {} // c\n//// d\n";
        let wanted = [
            (Kind::Doc, 1, "a"),
            (Kind::Doc, 2, "b"),
            (Kind::Plain, 3, "c"),
            (Kind::Plain, 4, "d"),
        ];
        assert_eq!(texts(source), wanted);
        assert_eq!(scan(source).code_lines, [3]);
    }

    #[test]
    fn strings_that_look_like_comments_are_none() {
        for source in [
            r#"let url = "https://a//b";"#,
            r#"let quote = "\"// no";"#,
            r##"let raw = r#"" // no"#;"##,
            r#"let bytes = b"// no";"#,
            "let char = '\"'; let s = \"// no\";",
            "let char = '\\''; let s = \"// no\";",
        ] {
            assert_eq!(texts(source), [], "{source}");
        }
    }

    #[test]
    fn lifetimes_begin_no_character() {
        assert_eq!(texts("fn f<'a>(a: &'a str) {} // yes"), [(Kind::Plain, 1, "yes")]);
        assert_eq!(texts("loop { break 'x'; } // yes"), [(Kind::Plain, 1, "yes")]);
        assert_eq!(texts("let r#type = 1; // yes"), [(Kind::Plain, 1, "yes")]);
    }

    #[test]
    fn doc_attributes_are_comments_and_other_literals_not() {
        let source = "#[doc = \"Returns it.\"]\n#![doc = \"x\"]\n#[doc(alias = \"what\")]\n";
        assert_eq!(texts(source), [(Kind::Attribute, 1, "Returns it."), (Kind::Attribute, 2, "x")]);
        assert_eq!(scan(source).literals.len(), 1);
    }

    #[test]
    fn lines_after_a_string_of_several_lines_keep_their_number() {
        let source = "let s = \"a\nb\";\n// c\n";
        assert_eq!(texts(source), [(Kind::Plain, 3, "c")]);
        assert_eq!(scan(source).code_lines, [1, 2]);
    }

    #[test]
    fn block_comments_nest() {
        let source = "/* a\n/* b */ c */ fn f() {} // d";
        assert_eq!(texts(source).last(), Some(&(Kind::Plain, 2, "d")));
        assert_eq!(scan(source).code_lines, [2]);
    }
}
