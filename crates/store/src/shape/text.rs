//! The string form of a shape, and its parser.
//!
//! ```text
//! 1 {id: string, size: u64, tags: map<string, bool>, kind: enum{Plain, Counted(u32)}, next: option<@0>}
//! ```
//!
//! The number is the form's, [`FORM`]: a build that detects more of a type writes another one, and strings of
//! different forms are not compared. `@N` is the node that began as the N-th compound one; `?` is an unknown
//! part, `*` an unknown name, and `..` the rest of fields whose reader did not reach its end.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::fmt::Write;

use super::{Field, Fields, Id, Node, Scalar, Shape, Variant};

/// The form that this build writes.
const FORM: u32 = 1;

/// Maximum nesting that is parsed, far beyond that of any shape a store wrote.
const DEPTH_MAX: usize = 512;

const SCALARS: [(Scalar, &str); 17] = [
    (Scalar::Bool, "bool"),
    (Scalar::I8, "i8"),
    (Scalar::I16, "i16"),
    (Scalar::I32, "i32"),
    (Scalar::I64, "i64"),
    (Scalar::I128, "i128"),
    (Scalar::U8, "u8"),
    (Scalar::U16, "u16"),
    (Scalar::U32, "u32"),
    (Scalar::U64, "u64"),
    (Scalar::U128, "u128"),
    (Scalar::F32, "f32"),
    (Scalar::F64, "f64"),
    (Scalar::Char, "char"),
    (Scalar::String, "string"),
    (Scalar::Bytes, "bytes"),
    (Scalar::Unit, "unit"),
];

impl Scalar {
    pub(super) fn name(self) -> &'static str {
        SCALARS.iter().find(|(scalar, _)| *scalar == self).map_or("unit", |(_, name)| name)
    }
}

impl Shape {
    /// Returns the string form of the shape.
    pub(crate) fn text(&self) -> String {
        let mut writer = Writer {
            shape: self,
            out: format!("{FORM} "),
            count: 0,
            numbers: HashMap::new(),
            open: HashSet::new(),
        };
        writer.node(0);
        writer.out
    }
}

struct Writer<'a> {
    shape: &'a Shape,
    out: String,
    count: usize,
    numbers: HashMap<Id, usize>,
    open: HashSet<Id>,
}

impl Writer<'_> {
    fn push(&mut self, text: &str) {
        self.out.push_str(text);
    }

    fn node(&mut self, id: Id) {
        let node = self.shape.node(id);
        match node {
            Node::Scalar(scalar) => return self.push(scalar.name()),
            Node::Opaque => return self.push("?"),
            _ => {}
        }
        // An option or list is clearer written out again than as a reference, unless it contains itself.
        let short = matches!(node, Node::Option(_) | Node::Seq(_));
        if let Some(number) = self.numbers.get(&id)
            && (!short || self.open.contains(&id))
        {
            let _ = write!(self.out, "@{number}");
            return;
        }
        self.numbers.insert(id, self.count);
        self.count += 1;
        // A node that is open contains itself here, so it must be a reference or the string would not end.
        let opened = self.open.insert(id);
        match node {
            Node::Option(inner) => {
                self.push("option<");
                self.node(*inner);
                self.push(">");
            }
            Node::Seq(inner) => {
                self.push("list<");
                self.node(*inner);
                self.push(">");
            }
            Node::Map(key, value) => {
                self.push("map<");
                self.node(*key);
                self.push(", ");
                self.node(*value);
                self.push(">");
            }
            Node::Fields(fields) => self.fields(fields),
            Node::Enum(variants) => {
                self.push("enum{");
                for (at, variant) in variants.iter().enumerate() {
                    self.push(if at == 0 { "" } else { ", " });
                    self.name(variant.name.as_deref());
                    match self.shape.node(variant.content) {
                        Node::Scalar(_) => {}
                        Node::Fields(fields) => self.fields(fields),
                        _ => self.push("?"),
                    }
                }
                self.push("}");
            }
            Node::Scalar(_) | Node::Opaque => {}
        }
        if opened {
            self.open.remove(&id);
        }
    }

    fn fields(&mut self, fields: &Fields) {
        self.push(if fields.named { "{" } else { "(" });
        // An array is written once and counted.
        let mut list = fields.list.iter().peekable();
        let mut first = true;
        while let Some(field) = list.next() {
            self.push(if first { "" } else { ", " });
            first = false;
            if fields.named {
                self.name(field.name.as_deref());
                self.push(": ");
            }
            self.node(field.node);
            let mut times = 1;
            // Named fields differ in their names, even if their types are equal.
            while !fields.named && list.next_if(|next| next.node == field.node).is_some() {
                times += 1;
            }
            if times > 1 {
                let _ = write!(self.out, "; {times}");
            }
        }
        if !fields.whole {
            self.push(if first { ".." } else { ", .." });
        }
        self.push(if fields.named { "}" } else { ")" });
    }

    fn name(&mut self, name: Option<&str>) {
        match name {
            None => self.push("*"),
            // Other names are quoted: `rename` allows any string, including the punctuation of this form.
            Some(name) if !name.is_empty() && name.chars().all(is_plain) => self.push(name),
            Some(name) => {
                self.push("\"");
                for letter in name.chars() {
                    if matches!(letter, '"' | '\\') {
                        self.out.push('\\');
                    }
                    self.out.push(letter);
                }
                self.push("\"");
            }
        }
    }
}

fn is_plain(letter: char) -> bool {
    letter.is_alphanumeric() || matches!(letter, '_' | '-')
}

/// Reasons why a string is not a shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ParseError {
    /// An earlier form: it cannot be compared, and a newer string may replace it.
    OlderForm,
    /// The form of a later build: it cannot be compared.
    NewerForm,
    /// Not a form that a store wrote.
    Unreadable,
}

/// Parses a shape from an untrusted string.
pub(crate) fn parse(text: &str) -> Result<Shape, ParseError> {
    let (form, rest) = text.split_once(' ').ok_or(ParseError::Unreadable)?;
    match form.parse::<u32>().map_err(|_| ParseError::Unreadable)?.cmp(&FORM) {
        Ordering::Less => return Err(ParseError::OlderForm),
        Ordering::Greater => return Err(ParseError::NewerForm),
        Ordering::Equal => {}
    }
    let mut reader = Reader { rest, nodes: Vec::new(), numbers: Vec::new(), depth: 0, repeated: 0 };
    let row = reader.node().filter(|_| reader.rest.is_empty()).ok_or(ParseError::Unreadable)?;
    // The row is the first node, unless it has no parts and is the only one.
    debug_assert_eq!(row, 0, "a node is added before those that it holds");
    Ok(Shape::new(reader.nodes))
}

struct Reader<'a> {
    rest: &'a str,
    nodes: Vec<Node>,
    /// The compound nodes, in the order in which they began.
    numbers: Vec<Id>,
    depth: usize,
    repeated: usize,
}

/// Maximum number of elements of all arrays of a string. More would only waste memory.
const REPEATED_MAX: usize = 1 << 20;

impl Reader<'_> {
    fn eat(&mut self, token: &str) -> Option<()> {
        self.rest = self.rest.strip_prefix(token)?;
        Some(())
    }

    fn has(&mut self, token: &str) -> bool {
        self.eat(token).is_some()
    }

    fn number(&mut self) -> Option<usize> {
        let end = self.rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.rest.len());
        let (digits, rest) = self.rest.split_at(end);
        self.rest = rest;
        digits.parse().ok()
    }

    fn add(&mut self, node: Node) -> Option<Id> {
        let id = Id::try_from(self.nodes.len()).ok()?;
        self.nodes.push(node);
        Some(id)
    }

    fn node(&mut self) -> Option<Id> {
        self.depth += 1;
        // A crafted string must not overflow the stack.
        if self.depth > DEPTH_MAX {
            return None;
        }
        let node = self.node_at_depth();
        self.depth -= 1;
        node
    }

    fn node_at_depth(&mut self) -> Option<Id> {
        if self.has("?") {
            return self.add(Node::Opaque);
        }
        if self.has("@") {
            let number = self.number()?;
            return self.numbers.get(number).copied();
        }
        let parts = ["option<", "list<", "map<", "enum{", "(", "{"];
        if !parts.iter().any(|begin| self.rest.starts_with(begin)) {
            // At most one name matches, because none is a prefix of another one.
            let (scalar, _) = SCALARS.iter().find(|(_, name)| self.has(name))?;
            return self.add(Node::Scalar(*scalar));
        }
        // Reserves the position, because the parts may refer to this node.
        let id = self.add(Node::Opaque)?;
        self.numbers.push(id);
        let node = if self.has("option<") {
            Node::Option(self.node().filter(|_| self.has(">"))?)
        } else if self.has("list<") {
            Node::Seq(self.node().filter(|_| self.has(">"))?)
        } else if self.has("map<") {
            let key = self.node().filter(|_| self.has(", "))?;
            Node::Map(key, self.node().filter(|_| self.has(">"))?)
        } else if self.has("enum{") {
            Node::Enum(self.variants()?)
        } else {
            Node::Fields(self.fields()?)
        };
        self.nodes[id as usize] = node;
        Some(id)
    }

    fn variants(&mut self) -> Option<Box<[Variant]>> {
        let mut variants = Vec::new();
        while !self.has("}") {
            if !variants.is_empty() {
                self.eat(", ")?;
            }
            let name = self.name()?;
            let content = if self.has("?") {
                Node::Opaque
            } else if self.rest.starts_with(['(', '{']) {
                Node::Fields(self.fields()?)
            } else {
                Node::UNIT
            };
            variants.push(Variant { name, content: self.add(content)? });
        }
        Some(variants.into())
    }

    fn fields(&mut self) -> Option<Fields> {
        let named = self.has("{");
        if !named {
            self.eat("(")?;
        }
        let end = if named { "}" } else { ")" };
        let (mut list, mut whole) = (Vec::new(), true);
        while !self.has(end) {
            if !list.is_empty() {
                self.eat(", ")?;
            }
            if self.has("..") {
                whole = false;
                self.eat(end)?;
                break;
            }
            let name = if named { self.name().filter(|_| self.has(": "))? } else { None };
            let node = self.node()?;
            let times = if self.has("; ") { self.number()? } else { 1 };
            self.repeated = self.repeated.checked_add(times)?;
            // A crafted string of a few bytes must not allocate gigabytes.
            if times == 0 || self.repeated > REPEATED_MAX {
                return None;
            }
            list.extend((1..times).map(|_| Field { name: None, node }));
            list.push(Field { name, node });
        }
        Some(Fields { named, list: list.into(), whole })
    }

    /// Parses a name; the inner `None` is an unknown one.
    #[expect(clippy::option_option, reason = "a name that is unknown is not one that is missing")]
    fn name(&mut self) -> Option<Option<Cow<'static, str>>> {
        if self.has("*") {
            return Some(None);
        }
        if !self.has("\"") {
            let end = self.rest.find(|c| !is_plain(c)).unwrap_or(self.rest.len());
            let (name, rest) = self.rest.split_at(end);
            self.rest = rest;
            return (!name.is_empty()).then(|| Some(Cow::Owned(name.to_owned())));
        }
        let mut name = String::new();
        let mut letters = self.rest.char_indices();
        loop {
            match letters.next()? {
                (at, '"') => {
                    self.rest = &self.rest[at + 1..];
                    return Some(Some(Cow::Owned(name)));
                }
                (_, '\\') => name.push(letters.next()?.1),
                (_, letter) => name.push(letter),
            }
        }
    }
}
