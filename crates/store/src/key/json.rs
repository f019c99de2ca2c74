//! Keys as JSON.

/// Implements both JSON conversions of a key whose type implements serde.
macro_rules! json_by_serde {
    () => {
        fn to_json(&self) -> serde_json::Value {
            // Integers of more than 64 bits have no JSON number, so they convert as strings.
            serde_json::to_value(self)
                .unwrap_or_else(|_| crate::key::print::Printed(self).to_string().into())
        }

        fn from_json(json: &serde_json::Value) -> Option<Self> {
            serde::Deserialize::deserialize(json).ok()
        }
    };
}

pub(super) use json_by_serde;
