//! Passes over a row type until every part of it was seen.
//!
//! A pass reads one dummy row. A reader decides by the dummy values which parts it requests, so an option is
//! `Some` once, a list has an element once, and each enum has another variant in each pass. A type that
//! validates (`try_from`, a time in a `String`) rejects most dummies: the pass fails at the place of that
//! value, and the next one tries another candidate there. A place without an accepted candidate fails forever:
//! the nearest enclosing option, list, map or variant is not entered again, and the other fields of an
//! enclosing struct are read by their numbers, as from a map. Only the elements of a tuple after it stay
//! unseen, because a tuple can be read only in order.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::de::DeserializeOwned;

use super::error::{Unreadable, Why};
use super::probe::{CANDIDATES, Probe};
use super::{Id, Scalar, Shape, Values, finish};

/// Maximum number of passes over one type. A row of a thousand variants and guessed values needs fewer.
const PASSES_MAX: usize = 10_000;

/// Maximum number of values passed to one type's reader, in all passes.
const STEPS_MAX: usize = 1_000_000;

/// Maximum nesting of values. Only types that cannot have a value reach it.
const DEPTH_MAX: usize = 96;

/// The node of unknown parts.
pub(super) const OPAQUE: Id = 0;

/// The node whose only child is the row.
pub(super) const ROOT: Id = 1;

/// A child of a node: the place of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) parent: Id,
    pub(super) slot: usize,
}

/// Identifies a node of the type. The visitor's type names the type that is read, generics included, so that a
/// type in several places is one node, and a recursive type is a cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) kind: Kind,
    pub(super) visitor: &'static str,
    pub(super) name: &'static str,
    pub(super) len: usize,
    /// The enum and the variant to which this content belongs.
    pub(super) variant: Option<Place>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Opaque,
    Scalar(Scalar),
    Option,
    Seq,
    Map,
    Tuple,
    Struct,
    Enum,
}

/// How far an optional child, or a variant, was explored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tried {
    Not,
    /// It was read once, with this number of values in it.
    Done(usize),
    /// No dummy was accepted.
    Failed,
    /// The reader does not know this variant.
    Absent,
}

/// A node that is being explored.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) kind: Kind,
    pub(super) names: &'static [&'static str],
    pub(super) children: Vec<Option<Id>>,
    /// One for each variant, or the one of an option, list or map.
    pub(super) tried: Vec<Tried>,
    /// Entries of `tried` that are being read now.
    active: Vec<usize>,
    /// The number of children that the reader took before its end.
    pub(super) taken: Option<usize>,
    /// The reader requests different parts in different passes.
    pub(super) unsteady: bool,
}

/// Reasons why a pass failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failure {
    /// A value was rejected after it was read: another candidate may be accepted.
    Retry(Place),
    /// No value can be read here.
    Final,
    /// The failure was noted, and the next pass avoids it.
    Noted,
}

#[derive(Debug)]
pub(super) struct Explorer {
    pub(super) nodes: Vec<Draft>,
    known: HashMap<Key, Id>,
    /// Candidates in addition to the usual dummies.
    pub(super) values: Values,
    /// The candidates of places whose first one was rejected.
    candidates: HashMap<Place, usize>,
    /// Places without an accepted candidate.
    dead: HashSet<Place>,
    /// The candidate of the place that is being read.
    candidate: usize,
    path: Vec<Place>,
    steps: usize,
    failure: Option<Failure>,
    refused: Option<Unreadable>,
    progress: bool,
}

/// Explores a row type, with the values of a row in addition to the usual dummies.
pub(super) fn explore<R: DeserializeOwned>(values: Values) -> Result<Shape, Unreadable> {
    let explorer = RefCell::new(Explorer::new(values));
    for _ in 0..PASSES_MAX {
        let pass = || {
            let place = Place { parent: ROOT, slot: 0 };
            Probe::enter(&explorer, place, R::deserialize).map(drop)
        };
        // A reader that panics over a dummy may still read its own rows well.
        let panicked = catch_unwind(AssertUnwindSafe(pass)).is_err();
        let mut explorer = explorer.borrow_mut();
        if let Some(refused) = explorer.refused.take() {
            return Err(refused);
        }
        if !explorer.goes_on(panicked) {
            break;
        }
    }
    Ok(finish::finish(explorer.into_inner()))
}

impl Explorer {
    fn new(values: Values) -> Self {
        let mut new = Self {
            nodes: Vec::new(),
            known: HashMap::new(),
            values,
            candidates: HashMap::new(),
            dead: HashSet::new(),
            candidate: 0,
            path: Vec::new(),
            steps: 0,
            failure: None,
            refused: None,
            progress: false,
        };
        // In the order of `OPAQUE` and `ROOT`.
        new.nodes.push(Draft::new(Kind::Opaque, &[], 0));
        new.nodes.push(Draft::new(Kind::Tuple, &[], 0));
        new
    }

    /// Ends a pass. Returns whether another one can find more.
    fn goes_on(&mut self, panicked: bool) -> bool {
        let at = self.path.last().copied();
        self.path.clear();
        self.candidate = 0;
        for node in &mut self.nodes {
            node.active.clear();
        }
        let progress = std::mem::take(&mut self.progress);
        let failure = self.failure.take();
        if self.steps >= STEPS_MAX {
            return false;
        }
        if panicked {
            // One panic is enough: each prints a message to standard error.
            return at.is_some_and(|place| self.dead.insert(place));
        }
        match failure {
            Some(Failure::Retry(place)) => {
                let candidate = self.candidates.entry(place).or_insert(0);
                *candidate += 1;
                *candidate < CANDIDATES + self.values.most() || self.dead.insert(place)
            }
            Some(Failure::Noted) => true,
            Some(Failure::Final) | None => progress && self.untried(),
        }
    }

    fn untried(&self) -> bool {
        self.nodes.iter().any(|node| node.tried.contains(&Tried::Not))
    }

    /// Returns the node of a key, and registers it at its place.
    pub(super) fn node(&mut self, place: Place, key: Key, names: &'static [&'static str]) -> Id {
        self.steps += 1;
        // A type with more nodes than IDs is opaque from there on.
        let next = Id::try_from(self.nodes.len()).unwrap_or(OPAQUE);
        let id = *self.known.entry(key).or_insert(next);
        if id == next && id != OPAQUE {
            let choices = match key.kind {
                Kind::Option | Kind::Seq | Kind::Map => 1,
                // Hand-written readers may list no names.
                Kind::Enum => names.len().max(1),
                _ => 0,
            };
            self.nodes.push(Draft::new(key.kind, names, choices));
            self.progress = true;
        }
        let child = self.child(place);
        match *child {
            None => *child = Some(id),
            Some(known) if known == id => {}
            // The reader decides by a value which part it requests, so the part has no fixed type.
            Some(_) => *child = Some(OPAQUE),
        }
        id
    }

    fn child(&mut self, place: Place) -> &mut Option<Id> {
        let children = &mut self.nodes[place.parent as usize].children;
        if children.len() <= place.slot {
            children.resize(place.slot + 1, None);
        }
        &mut children[place.slot]
    }

    /// Enters a place. Returns the candidate of the enclosing place, or `None` if no value can be read there.
    pub(super) fn enter(&mut self, place: Place) -> Option<usize> {
        // One failure ends the whole pass, so every later value is rejected too.
        let ended = self.refused.is_some() || self.steps >= STEPS_MAX;
        if ended || self.path.len() >= DEPTH_MAX || self.dead.contains(&place) {
            // The first failure is the cause; later ones are its consequences.
            self.failure.get_or_insert(Failure::Final);
            return None;
        }
        self.path.push(place);
        let outer = self.candidate;
        if let Some(candidate) = self.candidates.get(&place) {
            self.candidate = *candidate;
        }
        Some(outer)
    }

    pub(super) fn leave(&mut self, place: Place, outer: usize, failed: bool) {
        self.path.pop();
        self.candidate = outer;
        if failed {
            self.failure.get_or_insert(Failure::Retry(place));
        }
    }

    /// Returns the number of the dummy to use for a scalar.
    pub(super) fn candidate(&self) -> usize {
        self.candidate
    }

    /// Returns whether a node has a part that was not read yet.
    fn unfinished(&self, id: Id) -> bool {
        let (mut seen, mut left) = (HashSet::from([id]), vec![id]);
        while let Some(id) = left.pop() {
            let node = &self.nodes[id as usize];
            if node.tried.contains(&Tried::Not) {
                return true;
            }
            left.extend(node.children.iter().flatten().filter(|child| seen.insert(**child)));
        }
        false
    }

    /// Returns whether an option, list or map should have a value.
    pub(super) fn fills(&mut self, id: Id) -> bool {
        // Some readers reject empty lists.
        let more = self.candidate > 0 || self.unfinished(id);
        let node = &mut self.nodes[id as usize];
        let fills = node.active.is_empty()
            && match node.tried[0] {
                Tried::Not => true,
                Tried::Done(_) => more,
                Tried::Failed | Tried::Absent => false,
            };
        if fills {
            node.active.push(0);
        }
        fills
    }

    /// Returns the variant that an enum should have.
    pub(super) fn variant(&mut self, id: Id) -> Option<usize> {
        let candidate = self.candidate;
        let node = &self.nodes[id as usize];
        let free = |at: &usize| !node.active.contains(at);
        let new = (0..node.tried.len()).filter(free).find(|at| node.tried[*at] == Tried::Not);
        let new = new.or_else(|| {
            let done = |at: &usize| matches!(node.tried[*at], Tried::Done(_));
            let unfinished = |at: &usize| {
                let content = node.children.get(*at).copied().flatten();
                content.is_some_and(|content| self.unfinished(content))
            };
            (0..node.tried.len()).filter(free).filter(done).find(unfinished)
        });
        let chosen = new.or_else(|| {
            let mut done: Vec<(usize, usize)> = (0..node.tried.len())
                .filter_map(|at| match node.tried[at] {
                    Tried::Done(values) => Some((values, at)),
                    _ => None,
                })
                .collect();
            done.sort_unstable();
            // Inside itself an enum gets its smallest variant, which does not contain the enum again.
            let wanted = if node.active.is_empty() { candidate } else { 0 };
            done.get(wanted % done.len().max(1)).map(|(_, at)| *at)
        });
        match chosen {
            Some(at) => self.nodes[id as usize].active.push(at),
            None => {
                self.failure.get_or_insert(Failure::Final);
            }
        }
        chosen
    }

    pub(super) fn steps(&self) -> usize {
        self.steps
    }

    /// Ends what [`fills`](Self::fills) or [`variant`](Self::variant) began at the step `since`.
    pub(super) fn tried(&mut self, id: Id, at: usize, since: usize, failed: bool) {
        let values = self.steps - since;
        let node = &mut self.nodes[id as usize];
        if let Some(position) = node.active.iter().rposition(|active| *active == at) {
            node.active.remove(position);
        }
        if !failed {
            if matches!(node.tried[at], Tried::Not | Tried::Failed) {
                node.tried[at] = Tried::Done(values);
                self.progress = true;
            }
        } else if self.failure == Some(Failure::Final)
            && self.refused.is_none()
            && node.tried[at] == Tried::Not
        {
            let held: Vec<Id> = match node.kind {
                Kind::Enum => node.children.get(at).copied().flatten().into_iter().collect(),
                _ => node.children.iter().flatten().copied().collect(),
            };
            if !held.into_iter().any(|child| self.may_find_more(child)) {
                self.nodes[id as usize].tried[at] = Tried::Failed;
                self.failure = Some(Failure::Noted);
            }
        }
    }

    /// Returns whether a pass that failed in a node made progress, so that the next one may find the rest.
    fn may_find_more(&self, id: Id) -> bool {
        self.progress && self.unfinished(id)
    }

    /// Ends the reading of a struct's field that failed. If no later pass can read it, the other fields are
    /// read without it from then on.
    pub(super) fn field_failed(&mut self, place: Place) {
        let child = *self.child(place);
        if self.failure == Some(Failure::Final)
            && self.refused.is_none()
            && !child.is_some_and(|child| self.may_find_more(child))
            && self.dead.insert(place)
        {
            self.failure = Some(Failure::Noted);
        }
    }

    /// Returns whether no value can be read at a place.
    pub(super) fn is_dead(&self, place: Place) -> bool {
        self.dead.contains(&place)
    }

    /// Returns whether a struct has an unreadable field, and so cannot be read in order.
    pub(super) fn has_dead_field(&self, id: Id, len: usize) -> bool {
        (0..len).any(|slot| self.is_dead(Place { parent: id, slot }))
    }

    /// Records that a struct cannot be read completely.
    pub(super) fn incomplete(&mut self) {
        self.failure.get_or_insert(Failure::Final);
    }

    /// Returns the number of fields that the reader takes, if known.
    pub(super) fn taken(&self, id: Id) -> Option<usize> {
        self.nodes[id as usize].taken
    }

    /// Records that an enum ends before the variant `at`.
    pub(super) fn absent(&mut self, id: Id, at: usize) {
        let node = &mut self.nodes[id as usize];
        node.active.clear();
        for tried in node.tried.iter_mut().skip(at) {
            *tried = Tried::Absent;
        }
        self.failure.get_or_insert(Failure::Noted);
    }

    /// Records that a reader ended after `taken` fields.
    pub(super) fn whole(&mut self, id: Id, taken: usize) {
        let node = &mut self.nodes[id as usize];
        match node.taken {
            None => {
                node.taken = Some(taken);
                self.progress = true;
            }
            Some(before) => node.unsteady |= before != taken,
        }
    }

    /// Records a call that the codec rejects.
    pub(super) fn refuse(&mut self, why: Why) {
        // The key of a map and the tag of an enum are not fields, so the error names the enclosing part.
        let of_key = matches!(why, Why::Flatten | Why::AdjacentlyTagged)
            .then(|| self.path.len().saturating_sub(1));
        let path = &self.path[..of_key.unwrap_or(self.path.len())];
        let field = self.field(path);
        self.refused.get_or_insert(Unreadable { field, why });
        self.failure.get_or_insert(Failure::Final);
    }

    pub(super) fn kind(&self, id: Id) -> Kind {
        self.nodes[id as usize].kind
    }

    fn field(&self, path: &[Place]) -> String {
        let mut text = String::new();
        for place in path.iter().filter(|place| place.parent != ROOT) {
            let node = &self.nodes[place.parent as usize];
            match node.kind {
                Kind::Struct | Kind::Enum => {
                    let number = place.slot.to_string();
                    push(&mut text, node.names.get(place.slot).copied().unwrap_or(&number));
                }
                Kind::Tuple => push(&mut text, &place.slot.to_string()),
                Kind::Seq | Kind::Map => text.push_str("[]"),
                Kind::Option | Kind::Opaque | Kind::Scalar(_) => {}
            }
        }
        text
    }
}

fn push(path: &mut String, step: &str) {
    if !path.is_empty() {
        path.push('.');
    }
    path.push_str(step);
}

impl Draft {
    fn new(kind: Kind, names: &'static [&'static str], choices: usize) -> Self {
        Self {
            kind,
            names,
            children: Vec::new(),
            tried: vec![Tried::Not; choices],
            active: Vec::new(),
            taken: None,
            unsteady: false,
        }
    }
}
