//! The words in which the tables of request bodies are written.
//!
//! A [`Rule`] states the types that a value may have and the checks that follow, in the order in which
//! the reference runs them, because the first failure is the one that its clients read. Tables are
//! constants, so a request costs no set-up.

use super::format::{Format, Pattern};

/// A type of JSON, named in refusals as the reference names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    /// An object.
    Object,
    /// A list.
    Array,
    /// A string.
    String,
    /// A number without a fraction.
    Integer,
    /// `true` and `false`.
    Boolean,
    /// `null`.
    Null,
}

impl Type {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Object => "object",
            Self::Array => "array",
            Self::String => "string",
            Self::Integer => "integer",
            Self::Boolean => "boolean",
            Self::Null => "null",
        }
    }
}

/// The contract of a value: its types and checks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule {
    /// The types that the value may have; none means any.
    pub(crate) types: &'static [Type],
    /// The checks, in order. One that is about another type than the value's passes.
    pub(crate) checks: &'static [Check],
}

/// A row of a table: a member of an object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    /// The member's name.
    pub(crate) name: &'static str,
    /// The contract of its value.
    pub(crate) rule: Rule,
    /// Whether a body without it is refused.
    pub(crate) required: bool,
    /// The first minor version that knows it; before that it is a member like any unknown one.
    pub(crate) since: u16,
}

impl Field {
    /// An optional member of every version.
    pub(crate) const fn new(name: &'static str, rule: Rule) -> Self {
        Self { name, rule, required: false, since: 0 }
    }

    /// A member that a body must have.
    pub(crate) const fn required(name: &'static str, rule: Rule) -> Self {
        Self { name, rule, required: true, since: 0 }
    }

    /// An optional member of the versions from 3.`since` on.
    pub(crate) const fn since(name: &'static str, since: u16, rule: Rule) -> Self {
        Self { name, rule, required: false, since }
    }
}

/// A check of a value whose type is right.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Check {
    /// A string has at least so many characters.
    MinChars(usize),
    /// A string has at most so many characters.
    MaxChars(usize),
    /// A string has only these characters.
    Pattern(Pattern),
    /// A number, or a string that reads as one, is at least this.
    Min(i64),
    /// A number, or a string that reads as one, is at most this.
    Max(i64),
    /// The value is one of these strings.
    OneOf(&'static [&'static str]),
    /// The value is one of the spellings of a boolean.
    Flag,
    /// A check that no other expresses.
    Format(Format),
    /// The value is as one of these rules demands.
    Either(&'static [Rule]),
    /// The members that an object is known to have; those that are required must be there.
    Fields(&'static [Field]),
    /// An object has no other members than its [`Check::Fields`].
    Closed,
    /// The keys of an object match, and its values are as the rule demands.
    Keys(Pattern, &'static Rule),
    /// An object has one of these members at least.
    AnyOf(&'static [&'static str]),
    /// An object has exactly one of these members.
    ExactlyOne(&'static [&'static str]),
    /// An object has at least so many members.
    MinMembers(usize),
    /// An object has at most so many members.
    MaxMembers(usize),
    /// A list has at least so many items.
    MinItems(usize),
    /// A list has at most [`super::ITEMS_MAX`] items, each as the rule demands.
    Items(&'static Rule),
    /// No two items of a list are equal.
    Unique,
    /// The check applies from this minor version on.
    Since(u16, &'static Check),
}

/// An object with these members and no others.
pub(crate) const fn closed(checks: &'static [Check]) -> Rule {
    Rule { types: &[Type::Object], checks }
}
