//! Markdown pages: their lines outside of fences, their tables, and the code spans in them.

/// A line of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Line<'p> {
    /// Counted from 1.
    pub(crate) number: usize,
    pub(crate) text: &'p str,
    /// Whether it is code between fences, or a fence.
    pub(crate) is_code: bool,
}

/// Returns the lines of a page.
pub(crate) fn lines(page: &str) -> impl Iterator<Item = Line<'_>> {
    let mut in_fence = false;
    page.lines().enumerate().map(move |(at, text)| {
        // A fence in a list is indented.
        let is_fence = text.trim_start().starts_with("```");
        if is_fence {
            in_fence = !in_fence;
        }
        Line { number: at + 1, text, is_code: in_fence || is_fence }
    })
}

/// Returns the cells of the rows of the tables below a heading, up to the next heading of its level.
pub(crate) fn rows<'p>(page: &'p str, heading: &str) -> Vec<(usize, Vec<&'p str>)> {
    let level = heading.chars().take_while(|&sign| sign == '#').count();
    let mut found = Vec::new();
    let mut is_inside = false;
    for line in lines(page).filter(|line| !line.is_code) {
        if line.text.starts_with('#') {
            let own = line.text.chars().take_while(|&sign| sign == '#').count();
            // Headings below this one belong to it.
            is_inside = line.text == heading || (is_inside && own > level);
        } else if is_inside && is_row(line.text) {
            found.push((line.number, cells(line.text)));
        }
    }
    found
}

/// Returns whether a line is a row of a table, and not the line below its head.
fn is_row(line: &str) -> bool {
    line.starts_with('|') && !line.starts_with("|-") && !line.starts_with("| -")
}

/// Returns the cells of a row. A `|` in a code span divides no cells.
fn cells(row: &str) -> Vec<&str> {
    let inner = row.trim().trim_start_matches('|').trim_end_matches('|');
    let mut in_code = false;
    let divides = |sign: char| {
        if sign == '`' {
            in_code = !in_code;
        }
        sign == '|' && !in_code
    };
    inner.split(divides).map(str::trim).collect()
}

/// Returns the code spans of a text, without their backticks.
pub(crate) fn spans(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_those_below_the_heading() {
        let page = "# A\n## B\n| x | y |\n|---|---|\n| `a|b` | 2 |\n### C\n| 3 |\n## D\n| 4 |\n";
        let found: Vec<_> = rows(page, "## B").into_iter().map(|(_, cells)| cells).collect();
        assert_eq!(found, [vec!["x", "y"], vec!["`a|b`", "2"], vec!["3"]]);
    }

    #[test]
    fn a_table_between_fences_is_code() {
        assert_eq!(rows("## B\n```\n| x |\n```\n", "## B"), []);
    }

    #[test]
    fn spans_are_between_backticks() {
        assert_eq!(spans("a `b`, `c d` e").collect::<Vec<_>>(), ["b", "c d"]);
    }
}
