//! Compares two shapes and finds their first difference.

use std::collections::HashSet;
use std::fmt::Write;

use super::merge::merge;
use super::text::{self, ParseError};
use super::{Field, Fields, Id, Node, Shape, Variant};

/// The result of comparing a recorded shape with that of a type.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Compared {
    /// Rows of the one are rows of the other, as far as both are known.
    Same,
    /// Equal, but the two together know more than the recorded one: the string of both.
    Learned(String),
    /// The first difference as a clause, e.g. ``field 2 was `owner: string`, is `secret: string` ``.
    Differs(String),
    /// The recorded shape is from a build that detects less of a type.
    Older,
    /// The recorded shape is from a later build.
    Newer,
    /// The recorded string is not a shape.
    Unreadable,
}

/// Compares a recorded string with the string of a type.
pub(crate) fn compare(was: &str, is: &str) -> Compared {
    compare_as(was, is, false)
}

/// Compares a recorded string with the string of a type that only reads its rows. A tuple may then stand for a
/// struct, and a value for a tuple of only that value, because their bytes are equal. An enum may have further
/// variants at its end.
pub(super) fn compare_read(was: &str, is: &str) -> Compared {
    compare_as(was, is, true)
}

fn compare_as(was_text: &str, is: &str, reading: bool) -> Compared {
    // The common case at every open, without parsing.
    if was_text == is {
        return Compared::Same;
    }
    let (was, is) = match (text::parse(was_text), text::parse(is)) {
        (Ok(was), Ok(is)) => (was, is),
        (Err(ParseError::OlderForm), _) => return Compared::Older,
        (Err(ParseError::NewerForm), _) => return Compared::Newer,
        _ => return Compared::Unreadable,
    };
    let mut compare =
        Compare { was: &was, is: &is, reading, same: HashSet::new(), path: Vec::new(), depth: 0 };
    if let Some(difference) = compare.nodes(0, 0) {
        return Compared::Differs(difference);
    }
    // A whole recorded shape cannot gain a part.
    if was.is_whole() {
        return Compared::Same;
    }
    let both = merge(&was, &is).text();
    if both == was_text { Compared::Same } else { Compared::Learned(both) }
}

struct Compare<'a> {
    was: &'a Shape,
    is: &'a Shape,
    /// Whether rows are read as the type but never written.
    reading: bool,
    /// Pairs that were compared already, or are being compared further up.
    same: HashSet<(Id, Id)>,
    path: Vec<String>,
    depth: usize,
}

/// Maximum depth of the comparison: cycles of a string that no store wrote can be very long.
const DEPTH_MAX: usize = 1024;

impl Compare<'_> {
    fn nodes(&mut self, was: Id, is: Id) -> Option<String> {
        // A pair that is being compared further up is assumed equal: a difference in it is found there.
        if self.depth == DEPTH_MAX || !self.same.insert((was, is)) {
            return None;
        }
        self.depth += 1;
        let found = self.parts(was, is);
        self.depth -= 1;
        found
    }

    fn parts(&mut self, was_id: Id, is_id: Id) -> Option<String> {
        match (self.was.node(was_id), self.is.node(is_id)) {
            (Node::Option(was), Node::Option(is)) => self.nodes(*was, *is),
            (Node::Seq(was), Node::Seq(is)) => self.step("[]", |own| own.nodes(*was, *is)),
            (Node::Map(was_key, was), Node::Map(is_key, is)) => {
                self.step("[]", |own| own.nodes(*was_key, *is_key).or_else(|| own.nodes(*was, *is)))
            }
            (Node::Fields(was), Node::Fields(is)) if was.named == is.named || self.reading => {
                self.fields(was, is)
            }
            (Node::Enum(was), Node::Enum(is)) => self.variants(was, is),
            (was, is) if was == is => None,
            // A part that only one of them knows cannot be compared.
            (Node::Opaque, _) | (_, Node::Opaque) => None,
            (was, is) => {
                // A struct or tuple of one value adds no byte to it.
                match (self.alone(was), self.alone(is)) {
                    (Some(only), _) => return self.nodes(only, is_id),
                    (None, Some(only)) => return self.nodes(was_id, only),
                    (None, None) => {}
                }
                let (was, is) = (brief(self.was, was), brief(self.is, is));
                Some(format!("{} was `{was}`, is `{is}`", self.place()))
            }
        }
    }

    /// Returns the only value of a struct or tuple, if only bytes are compared.
    fn alone(&self, node: &Node) -> Option<Id> {
        match node {
            Node::Fields(Fields { list, whole: true, .. }) if self.reading => match &**list {
                [only] => Some(only.node),
                _ => None,
            },
            _ => None,
        }
    }

    fn fields(&mut self, was: &Fields, is: &Fields) -> Option<String> {
        for (at, (old, new)) in was.list.iter().zip(&is.list).enumerate() {
            if unseen(self.was, was, old) || unseen(self.is, is, new) {
                continue;
            }
            // A field with another name or type is described best with its neighbours.
            let other = !names_agree(old.name.as_deref(), new.name.as_deref())
                || self.kinds_differ(old.node, new.node);
            if other {
                let (old, new) = (field(self.was, old), field(self.is, new));
                return Some(self.of_place(&format!("field {} was `{old}`, is `{new}`", at + 1)));
            }
            let step = name_or_number(old.name.as_deref().or(new.name.as_deref()), at);
            let found = self.step(&step, |own| own.nodes(old.node, new.node));
            if found.is_some() {
                return found;
            }
        }
        let at = was.list.len().min(is.list.len());
        // A list that was not read to its end may have further fields.
        if let Some(old) = was.list.get(at).filter(|old| is.whole && !unseen(self.was, was, old)) {
            let old = field(self.was, old);
            return Some(self.of_place(&format!("field {}, `{old}`, is gone", at + 1)));
        }
        if let Some(new) = is.list.get(at).filter(|new| was.whole && !unseen(self.is, is, new)) {
            let new = field(self.is, new);
            return Some(self.of_place(&format!("field {}, `{new}`, is new", at + 1)));
        }
        None
    }

    fn variants(&mut self, was: &[Variant], is: &[Variant]) -> Option<String> {
        for (at, (old, new)) in was.iter().zip(is).enumerate() {
            if !names_agree(old.name.as_deref(), new.name.as_deref())
                || self.kinds_differ(old.content, new.content)
            {
                let (old, new) = (variant(self.was, old), variant(self.is, new));
                return Some(self.of_place(&format!("variant {} was `{old}`, is `{new}`", at + 1)));
            }
            let step = name_or_number(old.name.as_deref().or(new.name.as_deref()), at);
            let found = self.step(&step, |own| own.nodes(old.content, new.content));
            if found.is_some() {
                return found;
            }
        }
        // Further variants at the end change no existing row, so a migration may know of them. But a build
        // without them could not read rows of one with them, so they count where rows are written.
        let at = was.len().min(is.len());
        if let Some(old) = was.get(at) {
            let old = variant(self.was, old);
            return Some(self.of_place(&format!("variant {}, `{old}`, is gone", at + 1)));
        }
        if self.reading {
            return None;
        }
        let new = variant(self.is, is.get(at)?);
        Some(self.of_place(&format!("variant {}, `{new}`, is new", at + 1)))
    }

    /// Returns whether two nodes themselves differ, ignoring their children.
    fn kinds_differ(&self, was: Id, is: Id) -> bool {
        match (self.was.node(was), self.is.node(is)) {
            (Node::Opaque, _)
            | (_, Node::Opaque)
            | (Node::Option(_), Node::Option(_))
            | (Node::Seq(_), Node::Seq(_))
            | (Node::Map(..), Node::Map(..))
            | (Node::Enum(_), Node::Enum(_)) => false,
            (Node::Fields(was), Node::Fields(is)) => was.named != is.named && !self.reading,
            (was, is) => was != is && self.alone(was).or(self.alone(is)).is_none(),
        }
    }

    fn step<T>(&mut self, step: &str, inside: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(step.to_owned());
        let result = inside(self);
        self.path.pop();
        result
    }

    fn joined(&self) -> String {
        let mut path = String::new();
        for step in &self.path {
            if step != "[]" && !path.is_empty() {
                path.push('.');
            }
            path.push_str(step);
        }
        path
    }

    fn place(&self) -> String {
        if self.path.is_empty() { "the row".to_owned() } else { format!("`{}`", self.joined()) }
    }

    fn of_place(&self, clause: &str) -> String {
        if self.path.is_empty() {
            clause.to_owned()
        } else {
            format!("in `{}` {clause}", self.joined())
        }
    }
}

/// Returns whether the reader did not reach a field. Such a field may not exist: the names listed for a reader
/// can be more than its fields.
fn unseen(shape: &Shape, fields: &Fields, field: &Field) -> bool {
    !fields.whole && *shape.node(field.node) == Node::Opaque
}

/// An unknown name agrees with every name.
fn names_agree(was: Option<&str>, is: Option<&str>) -> bool {
    match (was, is) {
        (Some(was), Some(is)) => was == is,
        _ => true,
    }
}

fn name_or_number(name: Option<&str>, at: usize) -> String {
    name.map_or_else(|| at.to_string(), str::to_owned)
}

fn field(shape: &Shape, field: &Field) -> String {
    let kind = brief(shape, shape.node(field.node));
    field.name.as_ref().map_or(kind.clone(), |name| format!("{name}: {kind}"))
}

fn variant(shape: &Shape, variant: &Variant) -> String {
    let name = variant.name.as_deref().unwrap_or("*");
    match shape.node(variant.content) {
        Node::Fields(fields) => format!("{name}{}", brief_fields(shape, fields)),
        Node::Opaque => format!("{name}?"),
        _ => name.to_owned(),
    }
}

/// Describes a node briefly.
fn brief(shape: &Shape, node: &Node) -> String {
    match node {
        Node::Scalar(scalar) => scalar.name().to_owned(),
        Node::Opaque => "?".to_owned(),
        Node::Option(inner) => format!("option<{}>", shallow(shape.node(*inner))),
        Node::Seq(inner) => format!("list<{}>", shallow(shape.node(*inner))),
        Node::Map(key, value) => {
            format!("map<{}, {}>", shallow(shape.node(*key)), shallow(shape.node(*value)))
        }
        Node::Fields(fields) => brief_fields(shape, fields),
        Node::Enum(_) => shallow(node).to_owned(),
    }
}

/// Maximum number of fields listed in a message.
const LISTED_MAX: usize = 4;

fn brief_fields(shape: &Shape, fields: &Fields) -> String {
    let mut text = String::from(if fields.named { "{" } else { "(" });
    for (at, field) in fields.list.iter().take(LISTED_MAX).enumerate() {
        text.push_str(if at == 0 { "" } else { ", " });
        if let Some(name) = &field.name {
            let _ = write!(text, "{name}: ");
        }
        text.push_str(shallow(shape.node(field.node)));
    }
    if fields.list.len() > LISTED_MAX {
        text.push_str(", ..");
    }
    text.push(if fields.named { '}' } else { ')' });
    text
}

fn shallow(node: &Node) -> &'static str {
    match node {
        Node::Scalar(scalar) => scalar.name(),
        Node::Opaque => "?",
        Node::Option(_) => "option",
        Node::Seq(_) => "list",
        Node::Map(..) => "map",
        Node::Fields(fields) if fields.named => "struct",
        Node::Fields(_) => "tuple",
        Node::Enum(_) => "enum",
    }
}
