//! The check of [`Index::serves`](crate::Index::serves): filters on the rows know the selector, and the keys
//! can hold its values.
//!
//! Without it, an index with a misspelt selector or an unfit key shape would silently never be used.

use statehold_filter::ast::ExprKind;
use statehold_filter::{Kind, Limits};

use crate::error::SchemaError;
use crate::key::Key;

/// The conditions that an index serves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Serves {
    /// The selector of the first part of the keys, as conditions write it.
    pub(crate) selector: &'static str,
    kind: Named,
}

#[derive(Clone, Copy, Debug)]
enum Named {
    /// A selector of filters on rows of this kind.
    Rows(Kind),
    /// A name under which programs state conditions of this kind.
    Stated(Kind),
}

impl Serves {
    pub(crate) const fn rows(selector: &'static str, rows: Kind) -> Self {
        Self { selector, kind: Named::Rows(rows) }
    }

    pub(crate) const fn stated(selector: &'static str, kind: Kind) -> Self {
        Self { selector, kind: Named::Stated(kind) }
    }

    /// Checks that an index with keys of the shape `K` can serve conditions on the selector.
    pub(crate) fn check<K: Key>(
        self,
        table: &'static str,
        index: &'static str,
    ) -> Result<(), SchemaError> {
        let selector = self.selector;
        let kind = match self.kind {
            Named::Stated(kind) => kind,
            Named::Rows(rows) => selected(rows, selector).ok_or_else(|| {
                let known = rows.schema().map(|schema| schema.names()).unwrap_or_default();
                SchemaError::UnknownSelector { table, index, selector, known: known.into() }
            })?,
        };
        // A list is served by the keys of its elements.
        let element = match kind.required() {
            Kind::List(element) => *element,
            kind => kind,
        };
        if K::holds(element.required()) {
            return Ok(());
        }
        let (kind, shape) = (kind.to_string().into(), shape_name::<K>());
        Err(SchemaError::UnfitKeys { table, index, selector, kind, shape })
    }
}

/// Returns the kind of the value of a selector; `None` if rows of this kind have no such field, or if the
/// selector is not in its canonical spelling.
fn selected(rows: Kind, selector: &str) -> Option<Kind> {
    // Any clause will do, because only its selector is used.
    let expr = statehold_filter::parse(&format!("{selector} is empty"), &Limits::default()).ok()?;
    let ExprKind::Clause(clause) = &expr.kind else { return None };
    // The planner compares strings, so another spelling of the path would never match.
    if clause.selector.to_string() != selector {
        return None;
    }
    clause.selector.parts.iter().try_fold(rows, |kind, part| match kind.required() {
        Kind::Record(_) => field(kind, &part.text),
        Kind::Map(_, inner) | Kind::List(inner) => Some(*inner),
        Kind::Any => Some(Kind::Any),
        _ => None,
    })
}

/// Returns the kind of a struct's field. Own fields take precedence over those of flattened structs, as in
/// filters.
fn field(record: Kind, name: &str) -> Option<Kind> {
    let fields = record.schema()?.fields();
    let own = fields.iter().find(|field| !field.is_flattened() && field.name() == name);
    own.map(|field| field.kind()).or_else(|| {
        let flattened = fields.iter().filter(|field| field.is_flattened());
        flattened.map(|inner| field(inner.kind(), name)).find_map(|found| found)
    })
}

/// Returns the name of a key shape without module paths.
fn shape_name<K: Key>() -> Box<str> {
    let full = std::any::type_name::<K>();
    let mut name = String::with_capacity(full.len());
    for part in full.split_inclusive(|c: char| !c.is_alphanumeric() && c != '_' && c != ':') {
        name.push_str(part.rsplit("::").next().unwrap_or(part));
    }
    name.into()
}

#[cfg(test)]
mod tests {
    use statehold_filter::Filterable;

    use super::*;
    use crate::key::Desc;

    #[derive(Filterable)]
    struct Inner {
        zone: String,
    }

    #[derive(Filterable)]
    struct Row {
        name: Option<String>,
        size: u64,
        wide: u128,
        ratio: f64,
        tags: Vec<String>,
        meta: std::collections::BTreeMap<String, String>,
        place: Inner,
        #[filterable(flatten)]
        inner: Inner,
    }

    fn check<K: Key>(selector: &'static str) -> Result<(), String> {
        let serves = Serves::rows(selector, Row::KIND);
        serves.check::<K>("rows", "index").map_err(|error| error.to_string())
    }

    #[test]
    fn keys_serve_selectors_whose_values_they_hold() {
        assert_eq!(check::<String>("name"), Ok(()));
        assert_eq!(check::<Option<String>>("name"), Ok(()));
        assert_eq!(check::<(Desc<u64>, String)>("size"), Ok(()));
        assert_eq!(check::<String>("tags"), Ok(()));
        assert_eq!(check::<String>("meta.env"), Ok(()));
        assert_eq!(check::<String>("place.zone"), Ok(()));
        assert_eq!(check::<String>("zone"), Ok(()), "of the flattened struct");
    }

    #[test]
    fn index_that_no_condition_could_use_is_refused() {
        assert_eq!(
            check::<u8>("name").unwrap_err(),
            "table rows: the index index serves `name`, which is a text, with keys of the shape u8, \
             which hold none: change what its keys are made of, or leave `serves` out"
        );
        for selector in ["ratio", "meta", "place", "wide"] {
            assert!(check::<u64>(selector).is_err(), "{selector}");
        }
        assert!(check::<(u64, String)>("name").is_err(), "only the first part is searched");
        assert!(check::<String>("size").is_err());
    }

    #[test]
    fn unknown_selector_is_refused_with_the_known_ones() {
        let refused = check::<String>("nmae").unwrap_err();
        assert!(refused.contains("`nmae`"), "{refused}");
        assert!(refused.contains("name, size, wide, ratio, tags, meta, place, zone"), "{refused}");
        for selector in ["", "name.first", "place.nowhere", "name ", "a b", "place[\"zone\"]"] {
            assert!(check::<String>(selector).is_err(), "{selector}");
        }
    }

    #[test]
    fn shapes_are_named_without_paths() {
        assert_eq!(&*shape_name::<(String, Desc<Vec<u8>>)>(), "(String, Desc<Vec<u8>>)");
    }
}
