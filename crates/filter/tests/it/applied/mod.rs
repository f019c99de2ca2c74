//! Applies hints as a client would.

use statehold_filter::CompileError;

/// Returns the expression with the replacement that its error suggests, at the span of the hint.
///
/// `None` if the hint suggests no replacement.
pub(crate) fn mended(text: &str, error: &CompileError) -> Option<String> {
    let help = error.help()?;
    let lists = "; lists of values need the extended dialect";
    let help = help.strip_suffix(lists).unwrap_or(help);
    let (start, end) = (error.span().start(), error.span().end());
    let word_start = text[..start].rfind([' ', '(', '=', '<', '>']).map_or(0, |at| at + 1);
    let word_end = text[start..].find([' ', ')']).map_or(text.len(), |at| start + at);
    // A pointer replaces the whole name, which an operator without spaces ends.
    let name_end = text[start..word_end].find("==").map_or(word_end, |at| start + at);
    let bracket_end = text[start..].find(']').map_or(text.len(), |at| start + at + 1);
    let named = |before: &str, after: &str| {
        let with = help.strip_prefix(before)?.strip_suffix(after)?;
        // An example is not a replacement.
        (!with.contains("`, as in `") && !with.contains(", as in `")).then_some(with)
    };
    let spaced = named("write `", "` with a space on both sides");
    let (start, end, with) = if let Some(with) = spaced {
        (start, end, format!(" {with} "))
    } else if help == "write `not` followed by a space" {
        (start, end, "not ".to_owned())
    } else if let Some(with) = named("write an index as `", "`") {
        (start, bracket_end, with.to_owned())
    } else if let Some(with) = named("quote the key: ", "") {
        (start, bracket_end, with.to_owned())
    } else if let Some(with) = named("quote this value: ", "") {
        (word_start, word_end, with.to_owned())
    } else if let Some(with) = named("write this name as a pointer: ", "") {
        (word_start, name_end, with.to_owned())
    } else if let Some(with) = named("use double quotes: ", "").or(named("write `", "`")) {
        (start, end, with.to_owned())
    } else if let Some(with) = named("add `", "` at the end") {
        (text.len(), text.len(), with.to_owned())
    } else if help == "add the closing quote" {
        (text.len(), text.len(), "\"".to_owned())
    } else if help.ends_with("remove it") {
        (start, end, String::new())
    } else {
        return None;
    };
    Some(format!("{}{with}{}", &text[..start], &text[end..]))
}
