//! Tables as JSON Schema, for readers and for tools that generate requests.
//!
//! A schema describes the newest version, and the usual spelling where the reference accepts several, such as
//! those of UUIDs: a body that matches it passes the table, and a few others do too.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{
    ITEMS_MAX, boolean,
    format::{Format, LEVELS, Pattern},
    table::{Check, Field, Rule, Type},
};
use crate::rows::{
    AttachStatus, BackupStatus, GroupSnapshotStatus, GroupStatus, MigrationStatus, SnapshotStatus,
    VolumeStatus,
};

impl Rule {
    /// Returns the JSON Schema of the values that the rule accepts in the newest version.
    pub(crate) fn json_schema(&self) -> Value {
        let mut schema = Map::new();
        if !self.types.is_empty() {
            let types: Vec<_> = self.types.iter().map(|kind| kind.as_str()).collect();
            schema.insert("type".into(), one_or_all(&types));
        }
        for check in self.checks {
            self.add(check, &mut schema);
        }
        schema.into()
    }

    fn add(&self, check: &Check, schema: &mut Map<String, Value>) {
        let (keyword, value) = match check {
            Check::MinChars(min) => ("minLength", json!(min)),
            Check::MaxChars(max) => ("maxLength", json!(max)),
            // JSON Schema has no class of printable characters.
            Check::Pattern(Pattern::Printable) => return,
            Check::Pattern(pattern) => ("pattern", json!(pattern.as_str())),
            Check::Min(min) => ("minimum", json!(min)),
            Check::Max(max) => ("maximum", json!(max)),
            Check::OneOf(texts) => ("enum", json!(texts)),
            Check::Flag => {
                // The numbers are accepted although the types lack them.
                schema.remove("type");
                let values = [json!(true), json!(false), json!(1), json!(0)];
                let spellings = boolean::SPELLINGS.iter().map(|spelling| json!(spelling));
                ("enum", values.into_iter().chain(spellings).collect())
            }
            Check::Format(format) => return self.add_format(*format, schema),
            Check::Either(rules) => {
                ("anyOf", rules.iter().map(|rule| rule.json_schema()).collect())
            }
            Check::Fields(fields) => {
                schema.insert("properties".into(), fields.iter().map(property).collect());
                let required: Vec<_> =
                    fields.iter().filter(|field| field.required).map(|field| field.name).collect();
                if required.is_empty() {
                    return;
                }
                ("required", json!(required))
            }
            Check::Closed => ("additionalProperties", json!(false)),
            Check::Keys(pattern, rule) => {
                schema.insert("additionalProperties".into(), json!(false));
                ("patternProperties", json!({ pattern.as_str(): rule.json_schema() }))
            }
            Check::AnyOf(names) => ("anyOf", requiring(names)),
            Check::ExactlyOne(names) => ("oneOf", requiring(names)),
            Check::MinMembers(min) => ("minProperties", json!(min)),
            Check::MaxMembers(max) => ("maxProperties", json!(max)),
            Check::MinItems(min) => ("minItems", json!(min)),
            Check::Items(rule) => {
                schema.insert("maxItems".into(), json!(ITEMS_MAX));
                ("items", rule.json_schema())
            }
            Check::Unique => ("uniqueItems", json!(true)),
            Check::Since(_, check) => return self.add(check, schema),
        };
        schema.insert(keyword.into(), value);
    }

    fn add_format(&self, format: Format, schema: &mut Map<String, Value>) {
        let (keyword, value) = match format {
            Format::Name | Format::BareName | Format::GroupType | Format::Zone => {
                ("pattern", json!(r"\S"))
            }
            Format::Uuid => ("format", json!("uuid")),
            Format::Progress => {
                schema.insert("type".into(), json!(["string", "null"]));
                ("pattern", json!("^([0-9]{1,2}|100)%$"))
            }
            Format::Base64 => ("contentEncoding", json!("base64")),
            Format::KeySize => ("pattern", json!("^(0|[1-9][0-9]*)$")),
            Format::Level => ("enum", json!(LEVELS)),
            Format::Status(check) => {
                let accepted = statuses().into_iter().filter(|status| check(status).is_ok());
                let null = self.types.contains(&Type::Null).then_some(Value::Null);
                ("enum", accepted.map(Value::from).chain(null).collect())
            }
            Format::StatusReset => {
                ("anyOf", requiring(&["status", "attach_status", "migration_status"]))
            }
            // Their limit of length leaves out the blanks around the text.
            Format::TrimmedName | Format::TrimmedDescription | Format::Reason => return,
        };
        schema.insert(keyword.into(), value);
    }
}

/// Returns the statuses of all rows. A check of a status accepts some of them.
fn statuses() -> BTreeSet<&'static str> {
    macro_rules! all {
        ($($status:ident)*) => {
            [$($status::ALL.iter().map(|status| status.as_str()).collect::<Vec<_>>()),*].concat()
        };
    }
    let all = all!(AttachStatus BackupStatus GroupSnapshotStatus GroupStatus MigrationStatus
        SnapshotStatus VolumeStatus);
    all.into_iter().collect()
}

fn property(field: &Field) -> (String, Value) {
    let mut schema = field.rule.json_schema();
    if field.since > 0 {
        schema["description"] = since(field.since).into();
    }
    (field.name.to_owned(), schema)
}

/// Returns the sentence about the first version that has something.
pub(crate) fn since(minor: u16) -> String {
    format!("Since microversion 3.{minor}.")
}

fn requiring(names: &[&str]) -> Value {
    names.iter().map(|name| json!({ "required": [name] })).collect()
}

fn one_or_all(types: &[&str]) -> Value {
    match types {
        [only] => json!(only),
        all => json!(all),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{
        closed,
        kinds::{BOOLEAN, META_PAIR, SIZE, UUID_OR_NULL},
    };

    #[test]
    fn each_check_has_its_keyword() {
        const RULE: Rule = closed(&[
            Check::Fields(&[
                Field::required("size", SIZE),
                Field::since("source", 13, UUID_OR_NULL),
                Field::new("metadata", META_PAIR),
            ]),
            Check::AnyOf(&["source", "metadata"]),
            Check::Since(53, &Check::Closed),
        ]);
        assert_eq!(
            RULE.json_schema(),
            json!({
                "type": "object",
                "properties": {
                    "size": {
                        "type": ["integer", "string"], "pattern": "^[0-9]+$",
                        "minimum": 1, "maximum": 2_147_483_647,
                    },
                    "source": {
                        "description": "Since microversion 3.13.",
                        "anyOf": [{ "type": "string", "format": "uuid" }, { "type": "null" }],
                    },
                    "metadata": {
                        "type": "object", "additionalProperties": false,
                        "patternProperties": { "^[a-zA-Z0-9-_:. /]{1,255}$":
                            { "type": "string", "maxLength": 255 } },
                        "minProperties": 1, "maxProperties": 1,
                    },
                },
                "required": ["size"],
                "anyOf": [{ "required": ["source"] }, { "required": ["metadata"] }],
                "additionalProperties": false,
            })
        );
        let flag = BOOLEAN.json_schema();
        assert_eq!((flag.get("type"), flag["enum"].as_array().map(Vec::len)), (None, Some(28)));
    }

    #[test]
    fn a_status_is_one_that_its_check_accepts() {
        const RULE: Rule = Rule {
            types: &[Type::String],
            checks: &[Check::Format(Format::Status(crate::ops::check_backup_status))],
        };
        assert_eq!(RULE.json_schema()["enum"], json!(["available", "error"]));
    }
}
