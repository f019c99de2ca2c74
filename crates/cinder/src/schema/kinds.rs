//! Kinds of values that several requests share, by the names that the reference has for them.
//!
//! Cinder: `cinder/api/validation/parameter_types.py`.

use super::{
    SIZE_GIB_MAX, TEXT_MAX,
    boolean::SPELLINGS,
    format::{Format, Pattern},
    table::{Check, Rule, Type},
};

/// The type of a string.
pub(crate) const STRING: &[Type] = &[Type::String];
/// The types of a string or null.
pub(crate) const STRING_OR_NULL: &[Type] = &[Type::String, Type::Null];

const MAX: Check = Check::MaxChars(TEXT_MAX);
// The constant is far below `i64::MAX`.
const INT_MAX: Check = Check::Max(SIZE_GIB_MAX as i64);

/// An object with any members.
pub(crate) const OBJECT: Rule = Rule { types: &[Type::Object], checks: &[] };

/// An object with any members, or null.
pub(crate) const OBJECT_OR_NULL: Rule = Rule { types: &[Type::Object, Type::Null], checks: &[] };

/// Any value.
pub(crate) const ANY: Rule = Rule { types: &[], checks: &[] };

/// A string of any length.
pub(crate) const UNBOUNDED: Rule = Rule { types: STRING, checks: &[] };

/// A string of any length, or null.
pub(crate) const UNBOUNDED_OR_NULL: Rule = Rule { types: STRING_OR_NULL, checks: &[] };

/// How an attachment uses its volume.
pub(crate) const MODE: Rule = Rule { types: STRING, checks: &[Check::OneOf(&["rw", "ro"])] };

/// A string of at most 255 characters.
pub(crate) const TEXT: Rule = Rule { types: STRING, checks: &[MAX] };

/// A string of 1 to 255 characters.
pub(crate) const TEXT_1: Rule = Rule { types: STRING, checks: &[Check::MinChars(1), MAX] };

/// A string of at most 255 characters, or null.
pub(crate) const TEXT_OR_NULL: Rule = Rule { types: STRING_OR_NULL, checks: &[MAX] };

/// A string of 1 to 255 characters, or null.
pub(crate) const TEXT_1_OR_NULL: Rule =
    Rule { types: STRING_OR_NULL, checks: &[Check::MinChars(1), MAX] };

/// A string of 1 to 255 characters that are not all blank.
pub(crate) const NAME: Rule =
    Rule { types: STRING, checks: &[Check::MinChars(1), MAX, Check::Format(Format::Name)] };

/// A string of at most 255 printable characters, or null.
pub(crate) const DESCRIPTION: Rule =
    Rule { types: STRING_OR_NULL, checks: &[MAX, Check::Pattern(Pattern::Printable)] };

/// A name that has at most 255 characters without the blanks around it, or null.
pub(crate) const TRIMMED_NAME: Rule =
    Rule { types: STRING_OR_NULL, checks: &[Check::Format(Format::TrimmedName)] };

/// A description that has at most 255 characters without the blanks around it, or null.
pub(crate) const TRIMMED_DESCRIPTION: Rule =
    Rule { types: STRING_OR_NULL, checks: &[Check::Format(Format::TrimmedDescription)] };

/// A UUID.
pub(crate) const UUID: Rule = Rule { types: STRING, checks: &[Check::Format(Format::Uuid)] };

const NULL: Rule = Rule { types: &[Type::Null], checks: &[] };

/// A UUID or null.
pub(crate) const UUID_OR_NULL: Rule = Rule { types: &[], checks: &[Check::Either(&[UUID, NULL])] };

/// A name that is not blank and has at most 255 characters without the blanks around it, or null.
pub(crate) const BARE_NAME_OR_NULL: Rule =
    Rule { types: &[], checks: &[Check::Either(&[BARE_NAME, NULL])] };

/// A name that is not blank and has at most 255 characters without the blanks around it.
pub(crate) const BARE_NAME: Rule =
    Rule { types: STRING, checks: &[Check::Format(Format::BareName)] };

/// A boolean, or a spelling of one.
pub(crate) const BOOLEAN: Rule =
    Rule { types: &[Type::Boolean, Type::String], checks: &[Check::Flag] };

/// A boolean, a spelling of one, or null. Unlike [`BOOLEAN`] it has no numbers.
pub(crate) const BOOLEAN_OR_NULL: Rule = Rule {
    types: &[],
    checks: &[Check::Either(&[
        NULL,
        Rule { types: &[Type::Boolean], checks: &[] },
        Rule { types: STRING, checks: &[Check::OneOf(&SPELLINGS)] },
    ])],
};

const SIZE_CHECKS: &[Check] = &[Check::Pattern(Pattern::Digits), Check::Min(1), INT_MAX];

/// A count of GiB, as a number or in digits.
pub(crate) const SIZE: Rule = Rule { types: &[Type::Integer, Type::String], checks: SIZE_CHECKS };

/// A count of GiB, as a number or in digits, or null.
pub(crate) const SIZE_OR_NULL: Rule =
    Rule { types: &[Type::Integer, Type::String, Type::Null], checks: SIZE_CHECKS };

const META_PAIRS: Check = Check::Keys(Pattern::MetaKey, &TEXT);

/// Metadata: keys may have blanks and slashes.
pub(crate) const META: Rule = Rule { types: &[Type::Object], checks: &[META_PAIRS] };

/// Metadata or null.
pub(crate) const META_OR_NULL: Rule =
    Rule { types: &[Type::Object, Type::Null], checks: &[META_PAIRS] };

/// One pair of metadata.
pub(crate) const META_PAIR: Rule = Rule {
    types: &[Type::Object],
    checks: &[META_PAIRS, Check::MinMembers(1), Check::MaxMembers(1)],
};

/// Specs whose keys may have blanks and slashes, and whose values may be null.
pub(crate) const LOOSE_SPECS: Rule =
    Rule { types: &[Type::Object], checks: &[Check::Keys(Pattern::MetaKey, &TEXT_OR_NULL)] };

const SPEC_PAIRS: Check = Check::Keys(Pattern::SpecKey, &TEXT_OR_NULL);

/// Specs: keys have neither blanks nor slashes, values may be null.
pub(crate) const SPECS: Rule = Rule { types: &[Type::Object], checks: &[SPEC_PAIRS] };

/// One pair of specs.
pub(crate) const SPEC_PAIR: Rule = Rule {
    types: &[Type::Object],
    checks: &[SPEC_PAIRS, Check::MinMembers(1), Check::MaxMembers(1)],
};

/// A host, perhaps with a back end and a pool.
pub(crate) const HOST: Rule = Rule {
    types: STRING_OR_NULL,
    checks: &[Check::MinChars(1), MAX, Check::Pattern(Pattern::Host)],
};

/// A host whose pool may have brackets.
pub(crate) const BRACKET_HOST: Rule = Rule {
    types: STRING_OR_NULL,
    checks: &[Check::MinChars(1), MAX, Check::Pattern(Pattern::BracketHost)],
};

/// The bits of a key.
pub(crate) const KEY_SIZE: Rule = Rule {
    types: &[Type::String, Type::Integer, Type::Null],
    checks: &[Check::Min(0), INT_MAX, Check::Format(Format::KeySize)],
};

/// A limit of a quota class: a number from -1 on, or digits.
pub(crate) const CLASS_LIMIT: Rule = Rule {
    types: &[Type::Integer, Type::String],
    checks: &[Check::Pattern(Pattern::MaybeDigits), Check::Min(-1), Check::MinChars(1), INT_MAX],
};

/// The ID of a service, as a number or in digits, or null.
pub(crate) const SERVICE_ID: Rule = Rule {
    types: &[Type::Integer, Type::String, Type::Null],
    checks: &[Check::Pattern(Pattern::MaybeDigits), Check::MaxChars(11)],
};

/// A connector, or the reference that a back end has for data: an object or a string.
pub(crate) const OBJECT_OR_STRING: Rule =
    Rule { types: &[Type::Object, Type::String], checks: &[] };

/// An object, a string or null.
pub(crate) const OBJECT_STRING_OR_NULL: Rule =
    Rule { types: &[Type::Object, Type::String, Type::Null], checks: &[] };
