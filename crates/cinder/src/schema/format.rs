//! The patterns and formats of strings, with the refusals that belong to them.
//!
//! Patterns are matched by hand: no regular expression is compiled, and each costs one pass.

use serde_json::Value;

use super::{TEXT_MAX, printable::is_printable};
use crate::{errors::Error, id::parse_id};

/// The characters that a string may have, as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pattern {
    /// Printable characters.
    Printable,
    /// Digits, at least one.
    Digits,
    /// Digits or nothing.
    MaybeDigits,
    /// A key of metadata: 1 to 255 letters, digits, `-_:.`, blanks and slashes.
    MetaKey,
    /// A key of specs: 1 to 255 letters, digits and `-_:.`.
    SpecKey,
    /// A key of quotas: 1 to 255 letters, digits, `-_:.` and blanks.
    QuotaKey,
    /// The characters of hosts.
    Host,
    /// The characters of hosts, and brackets.
    BracketHost,
}

impl Pattern {
    /// Returns the pattern as refusals show it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            // The reference shows its list of 690 ranges.
            Self::Printable => r"^[\p{Print}]*$",
            Self::Digits => "^[0-9]+$",
            Self::MaybeDigits => "^[0-9]*$",
            Self::MetaKey => "^[a-zA-Z0-9-_:. /]{1,255}$",
            Self::SpecKey => "^[a-zA-Z0-9-_:.]{1,255}$",
            Self::QuotaKey => "^[a-zA-Z0-9-_:. ]{1,255}$",
            Self::Host => "^[a-zA-Z0-9-._#@:/+]*$",
            Self::BracketHost => r"^[a-zA-Z0-9-._#@:/+\[\]]*$",
        }
    }

    /// Returns whether `text` matches. Cost: one pass.
    pub(crate) fn matches(self, text: &str) -> bool {
        // `$` of Python's `re` also matches before a newline that ends the string.
        let text = text.strip_suffix('\n').unwrap_or(text);
        let only = |more: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c));
        let digits = || text.bytes().all(|byte| byte.is_ascii_digit());
        let key = |more: &str| (1..=TEXT_MAX).contains(&text.len()) && only(more);
        match self {
            Self::Printable => text.chars().all(is_printable),
            Self::Digits => !text.is_empty() && digits(),
            Self::MaybeDigits => digits(),
            Self::MetaKey => key("-_:. /"),
            Self::SpecKey => key("-_:."),
            Self::QuotaKey => key("-_:. "),
            Self::Host => only("-._#@:/+"),
            Self::BracketHost => only("-._#@:/+[]"),
        }
    }
}

/// A check of a value that takes code.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Format {
    /// A name that is not all blank.
    Name,
    /// A name that is not blank, and short enough without the blanks around it.
    BareName,
    /// A name that is short enough without the blanks around it.
    TrimmedName,
    /// A description that is short enough without the blanks around it.
    TrimmedDescription,
    /// A UUID in any of its forms.
    Uuid,
    /// The name or ID of a group type.
    GroupType,
    /// An availability zone.
    Zone,
    /// A percentage: `80%`.
    Progress,
    /// Bytes in base 64.
    Base64,
    /// A reason that is not blank, and short enough without the blanks around it.
    Reason,
    /// A whole number in its shortest spelling.
    KeySize,
    /// A level of logging.
    Level,
    /// A status, checked where the statuses are.
    Status(fn(&str) -> Result<(), Error>),
    /// An object with at least one of `status`, `attach_status` and `migration_status` that is not empty.
    StatusReset,
}

/// The reason why a value has not its format.
#[derive(Debug)]
pub(super) enum Misformat {
    /// The usual refusal, with the name of the format.
    Plain(&'static str),
    /// A refusal without a place.
    Own(Error),
}

impl Format {
    /// Checks `value`, whose type is right.
    pub(super) fn check(self, value: &Value) -> Result<(), Misformat> {
        // Cinder: cinder/api/validation/validators.py, _validate_volume_reset_body.
        if let (Self::StatusReset, Value::Object(members)) = (self, value) {
            let set = |name| members.get(name).is_some_and(is_truthy);
            return if ["status", "attach_status", "migration_status"].into_iter().any(set) {
                Ok(())
            } else {
                Err(own(Error::request(
                    "Must specify 'status', 'attach_status' or 'migration_status' for update.",
                )))
            };
        }
        match (self, value) {
            // Nothing to check, which the reference reads as no progress.
            (Self::Progress, value) if !is_truthy(value) => Ok(()),
            (_, Value::String(text)) => self.check_text(text),
            (Self::Progress, _) => Err(own(Error::input(NO_PERCENTAGE))),
            (Self::Level, Value::Null) => self.check_text(""),
            // Each other format passes null; the types decide whether it is allowed.
            _ => Ok(()),
        }
    }

    fn check_text(self, text: &str) -> Result<(), Misformat> {
        let bare = text.trim();
        let plain = |good: bool, name| if good { Ok(()) } else { Err(Misformat::Plain(name)) };
        let fits = || (1..=TEXT_MAX).contains(&bare.chars().count());
        match self {
            // Cinder: cinder/api/validation/validators.py,
            // _validate_name_skip_leading_trailing_spaces.
            Self::BareName if text.is_empty() => Err(name("The 'name' can not be None.")),
            // Cinder: cinder/api/validation/validators.py, _validate_name, which does not check the length.
            Self::Name | Self::BareName if bare.is_empty() => {
                Err(name("The 'name' can not be empty."))
            }
            Self::BareName if !fits() => {
                Err(name("The 'name' can not be greater than 255 characters."))
            }
            Self::Name | Self::BareName | Self::StatusReset => Ok(()),
            // Cinder: cinder/api/validation/validators.py, _validate_string_length, as the formats of the next lines.
            Self::TrimmedName => length(bare, "name", 0),
            Self::TrimmedDescription => length(bare, "description", 0),
            // Cinder: cinder/api/validation/validators.py, _validate_availability_zone.
            Self::Zone if text.is_empty() => {
                Err(own(Error::request("The 'availability_zone' can not be None.")))
            }
            Self::Zone => length(bare, "availability_zone", 1),
            Self::Uuid => plain(parse_id(text).is_some(), "uuid"),
            // Cinder: cinder/api/validation/validators.py, _validate_group_type. jsonschema drops the text
            // of its error.
            Self::GroupType => plain(fits(), "group_type"),
            // Cinder: cinder/api/validation/validators.py, _validate_base64_format.
            Self::Base64 => plain(is_base64(text), "base64"),
            // Cinder: cinder/api/validation/validators.py, _validate_disabled_reason, which passes the empty string.
            Self::Reason => plain(text.is_empty() || fits(), "disabled_reason"),
            // Cinder: cinder/api/validation/validators.py, _validate_progress.
            Self::Progress => progress(text).map(drop).map_err(own),
            // Cinder: cinder/api/validation/validators.py, _validate_key_size. `is_int_like` compares with
            // the shortest spelling.
            Self::KeySize => {
                let shortest = text.parse().is_ok_and(|number: i64| number.to_string() == text);
                if shortest {
                    Ok(())
                } else {
                    Err(own(Error::input("key_size must be an integer.")))
                }
            }
            // Cinder: cinder/utils.py, get_log_method.
            Self::Level => {
                let known = LEVELS.iter().any(|level| level.eq_ignore_ascii_case(text));
                let refusal = || own(Error::input(format!("{text} is not a valid log level.")));
                if known { Ok(()) } else { Err(refusal()) }
            }
            Self::Status(check) => check(text).map_err(own),
        }
    }
}

/// The levels of logging that a request can set.
pub(super) const LEVELS: [&str; 4] = ["INFO", "WARNING", "ERROR", "DEBUG"];

const NO_PERCENTAGE: &str = "progress must be an integer percentage";

/// Reads `80%`; the empty string is none.
pub(crate) fn progress(text: &str) -> Result<Option<u8>, Error> {
    let mut digits = text.chars();
    let Some(sign) = digits.next_back() else { return Ok(None) };
    let number = integer(digits.as_str()).ok_or_else(|| Error::input(NO_PERCENTAGE))?;
    u8::try_from(number)
        .ok()
        .filter(|percent| *percent <= 100 && sign == '%')
        .map(Some)
        .ok_or_else(|| Error::input(format!("{NO_PERCENTAGE} between 0 and 100")))
}

/// Reads a whole number as Python's `int` does: blanks around it, a sign, and underscores between digits.
pub(crate) fn integer(text: &str) -> Option<i128> {
    let text = text.trim();
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    // Python: an underscore must stand between two digits.
    let grouped = !digits.starts_with('_') && !digits.ends_with('_') && !digits.contains("__");
    if !grouped || !digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_') {
        return None;
    }
    text.replace('_', "").parse().ok()
}

/// Checks whether Python's `base64.b64decode` reads `text`: characters of other alphabets are ignored,
/// and so is everything behind the padding.
fn is_base64(text: &str) -> bool {
    // The reference fails on characters beyond ASCII.
    if !text.is_ascii() {
        return false;
    }
    let (mut quad, mut padding) = (0, 0);
    for byte in text.bytes() {
        match byte {
            b'=' => {
                padding += 1;
                if quad >= 2 && quad + padding >= 4 {
                    return true;
                }
            }
            b'+' | b'/' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => {
                (quad, padding) = ((quad + 1) % 4, 0);
            }
            // Python drops the characters of other alphabets.
            _ => {}
        }
    }
    quad == 0
}

fn length(text: &str, name: &str, min: usize) -> Result<(), Misformat> {
    let count = text.chars().count();
    let refusal = if count > TEXT_MAX {
        format!("{name} has {count} characters, more than {TEXT_MAX}.")
    } else if count < min {
        format!("{name} has {count} characters, less than {min}.")
    } else {
        return Ok(());
    };
    Err(own(Error::input(refusal)))
}

/// A value that Python takes for true.
pub(crate) fn is_truthy(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Bool(true) => true,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
    }
}

fn name(reason: &str) -> Misformat {
    own(Error::request(format!("An invalid 'name' value was provided. {reason}")))
}

fn own(error: Error) -> Misformat {
    Misformat::Own(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_allow_one_final_newline() {
        assert!(Pattern::Digits.matches("5\n") && Pattern::SpecKey.matches("a\n"));
        assert!(!Pattern::Digits.matches("5\n\n") && !Pattern::Digits.matches("\n"));
        assert!(Pattern::Printable.matches("a\n") && !Pattern::Printable.matches("a\nb"));
        assert!(Pattern::MaybeDigits.matches("") && !Pattern::SpecKey.matches(""));
        assert!(
            Pattern::MetaKey.matches(&"k".repeat(255))
                && !Pattern::MetaKey.matches(&"k".repeat(256))
        );
        assert!(Pattern::BracketHost.matches("h@b#[::1]:/p") && !Pattern::Host.matches("[::1]"));
    }

    #[test]
    fn base64_is_what_python_decodes() {
        for good in ["", "%%", "=", "abcd", "abc=", "ab==cd", "a b c d"] {
            assert!(is_base64(good), "{good}");
        }
        for bad in ["a", "ab", "ab=", "abcde", "\u{e9}"] {
            assert!(!is_base64(bad), "{bad}");
        }
    }

    #[test]
    fn progress_is_a_percentage() {
        for (text, percent) in [("80%", 80), (" 5 %", 5), ("+5%", 5), ("1_0%", 10)] {
            assert_eq!(progress(text).ok(), Some(Some(percent)), "{text}");
        }
        assert_eq!(progress("").ok(), Some(None));
        for bad in ["80", "%", "-1%", "101%", "a%", "5%%", "5\u{20ac}"] {
            assert!(progress(bad).is_err(), "{bad}");
        }
    }
}
