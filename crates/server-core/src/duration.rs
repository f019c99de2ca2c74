//! Durations in Go's notation: `10s`, `1h30m`, `1.5s`, `-5ms`, `0`.
//!
//! Own code, because Nomad's clients send these strings and print the error: `humantime` rejects `-5ms` and accepts
//! `1d`, and jiff rejects `0`.

use std::time::Duration;

/// Parses a duration. Returns `None` for a string that Go's `time.ParseDuration` rejects.
///
/// A negative duration is zero, and one that is too long is [`Duration::MAX`], where Go fails.
pub fn parse(text: &str) -> Option<Duration> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    // Go: time/format.go, ParseDuration: a lone zero needs no unit.
    if digits == "0" {
        return Some(Duration::ZERO);
    }
    let mut seconds = 0.0;
    let mut rest = digits;
    while !rest.is_empty() {
        let number_len =
            rest.find(|found: char| found != '.' && !found.is_ascii_digit()).unwrap_or(rest.len());
        let (number, after) = rest.split_at(number_len);
        let unit_len =
            after.find(|found: char| found == '.' || found.is_ascii_digit()).unwrap_or(after.len());
        let (unit, next) = after.split_at(unit_len);
        // Rust accepts `.5` and `1.` as Go does, and neither accepts a lone `.`.
        seconds += number.parse::<f64>().ok()? * unit_seconds(unit)?;
        rest = next;
    }
    if digits.is_empty() {
        return None;
    }
    if negative {
        return Some(Duration::ZERO);
    }
    Some(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
}

fn unit_seconds(unit: &str) -> Option<f64> {
    Some(match unit {
        "ns" => 1e-9,
        // Go: time/format.go, unitMap: the micro sign and the Greek letter mu.
        "us" | "\u{b5}s" | "\u{3bc}s" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_of_go_are_parsed() {
        for (text, seconds) in [
            ("0", 0.0),
            ("-0", 0.0),
            ("5000ms", 5.0),
            ("1.5s", 1.5),
            (".5s", 0.5),
            ("1.s", 1.0),
            ("1h30m", 5400.0),
            ("1h15m30.5s", 4530.5),
            ("+7us", 7e-6),
            ("7\u{b5}s", 7e-6),
            ("-5s", 0.0),
        ] {
            let parsed = parse(text).unwrap_or_else(|| panic!("{text}"));
            assert!((parsed.as_secs_f64() - seconds).abs() < 1e-9, "{text}: {parsed:?}");
        }
        assert_eq!(parse("99999999999999999999h"), Some(Duration::MAX));
    }

    #[test]
    fn strings_that_go_rejects_are_rejected() {
        for text in ["", "-", "10", "1d", "1month", "1h 30m", ".s", "s", "1..5s", "1e3s", "1h30"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
