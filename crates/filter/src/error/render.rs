//! Renders an error for a monospaced screen, with carets under the source range.
//!
//! Columns are screen cells: wide characters take two, combining ones none, a tab is shown as one
//! space and control characters as `?`. Long lines are cut to a window around the range.

use std::fmt::{self, Display, Formatter, Write};

use crate::span::Span;

/// Maximum number of screen cells of an expression to show.
const WINDOW: usize = 100;

/// Writes `message`, the line of `text` at `span` with carets, the same for `also`, and `help`.
pub(super) fn render(
    f: &mut Formatter<'_>,
    message: &dyn Display,
    text: &str,
    span: Span,
    also: Option<Span>,
    help: Option<&str>,
) -> fmt::Result {
    write!(f, "{message}")?;
    if !text.is_empty() {
        write_place(f, text, span, '^')?;
        if let Some(also) = also {
            write_place(f, text, also, '-')?;
            f.write_str(" first here")?;
        }
    }
    match help {
        Some(help) => write!(f, "\nhelp: {help}"),
        None => Ok(()),
    }
}

fn write_place(f: &mut Formatter<'_>, text: &str, span: Span, mark: char) -> fmt::Result {
    let start = floor(text, span.start());
    let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
    // Lines may end with CR LF.
    let line_end = line_end - usize::from(text[start..line_end].ends_with('\r'));
    let end = floor(text, span.end()).clamp(start, line_end);
    let line = &text[line_start..line_end];
    let (from, to) = window(line, start - line_start);

    let (cut_left, cut_right) = (from > 0, to < line.len());
    f.write_str("\n  ")?;
    f.write_str(if cut_left { "..." } else { "" })?;
    for char in line[from..to].chars() {
        f.write_char(if char == '\t' { ' ' } else { shown(char) })?;
    }
    f.write_str(if cut_right { "..." } else { "" })?;

    // The ellipsis takes three cells.
    let before = cells(&line[from..start - line_start]) + if cut_left { 3 } else { 0 };
    // An empty range still gets one caret, and a range past the window ends with it.
    let under =
        cells(&line[start - line_start..(end - line_start).clamp(start - line_start, to)]).max(1);
    f.write_str("\n  ")?;
    (0..before).try_for_each(|_| f.write_char(' '))?;
    (0..under).try_for_each(|_| f.write_char(mark))
}

/// Returns the range of a line to show: all of it, or as much as fits around `start`.
fn window(line: &str, start: usize) -> (usize, usize) {
    if cells(line) <= WINDOW {
        return (0, line.len());
    }
    // Half of the window before the range, the rest for the range and the text behind it.
    let mut from = start;
    let mut room = WINDOW / 2;
    for (at, char) in line[..start].char_indices().rev() {
        if room < width(char) {
            break;
        }
        room -= width(char);
        from = at;
    }
    let mut to = from;
    let mut room = WINDOW;
    for char in line[from..].chars() {
        if room < width(char) {
            break;
        }
        room -= width(char);
        to += char.len_utf8();
    }
    (from, to)
}

fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn shown(char: char) -> char {
    if char.is_control() { '?' } else { char }
}

fn cells(text: &str) -> usize {
    text.chars().map(width).sum()
}

/// Returns the screen cells of one character.
fn width(char: char) -> usize {
    // A table instead of a crate: an error in it shifts a caret, nothing more.
    match u32::from(char) {
        // Combining marks, joiners and selectors.
        0x0300..=0x036F
        | 0x0483..=0x0489
        | 0x0591..=0x05BD
        | 0x0610..=0x061A
        | 0x064B..=0x065F
        | 0x0900..=0x0902
        | 0x093C
        | 0x0941..=0x0948
        | 0x094D
        | 0x0E31
        | 0x0E34..=0x0E3A
        | 0x0E47..=0x0E4E
        | 0x1AB0..=0x1AFF
        | 0x1DC0..=0x1DFF
        | 0x200B..=0x200F
        | 0x202A..=0x202E
        | 0x2060..=0x2064
        | 0x20D0..=0x20FF
        | 0x3099..=0x309A
        | 0xFE00..=0xFE0F
        | 0xFE20..=0xFE2F
        | 0xFEFF
        | 0x1F3FB..=0x1F3FF
        | 0xE0100..=0xE01EF => 0,
        // East Asian wide and full-width characters, and emoji.
        0x1100..=0x115F
        | 0x231A..=0x231B
        | 0x23E9..=0x23EC
        | 0x2614..=0x2615
        | 0x26A1
        | 0x26BD..=0x26BE
        | 0x2705
        | 0x274C
        | 0x2757
        | 0x2795..=0x2797
        | 0x2B50
        | 0x2E80..=0x303E
        | 0x3041..=0x3098
        | 0x309B..=0xA4CF
        | 0xA960..=0xA97C
        | 0xAC00..=0xD7A3
        | 0xF900..=0xFAFF
        | 0xFE30..=0xFE6F
        | 0xFF00..=0xFF60
        | 0xFFE0..=0xFFE6
        | 0x1F300..=0x1F64F
        | 0x1F680..=0x1F6FF
        | 0x1F900..=0x1F9FF
        | 0x1FA70..=0x1FAFF
        | 0x20000..=0x3FFFD => 2,
        _ => 1,
    }
}
