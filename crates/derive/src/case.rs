//! Rewrites names in another letter case.

/// The letter case of fields or variants in expressions.
#[derive(Clone, Copy)]
pub(crate) enum Case {
    Lower,
    Upper,
    Pascal,
    Camel,
    Snake,
    ScreamingSnake,
    Kebab,
    ScreamingKebab,
}

impl Case {
    const ALL: [(&str, Self); 8] = [
        ("lowercase", Self::Lower),
        ("UPPERCASE", Self::Upper),
        ("PascalCase", Self::Pascal),
        ("camelCase", Self::Camel),
        ("snake_case", Self::Snake),
        ("SCREAMING_SNAKE_CASE", Self::ScreamingSnake),
        ("kebab-case", Self::Kebab),
        ("SCREAMING-KEBAB-CASE", Self::ScreamingKebab),
    ];

    /// Returns the case of that name, or an error with the known names.
    pub(crate) fn named(name: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|(own, _)| *own == name);
        found.map(|(_, case)| *case).ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|(own, _)| *own).collect();
            format!("unknown case; there are {}", names.join(", "))
        })
    }

    /// Rewrites the Rust name of a field or variant.
    pub(crate) fn apply(self, name: &str) -> String {
        let words = words(name);
        match self {
            Self::Lower => words.concat(),
            Self::Upper => words.concat().to_uppercase(),
            Self::Pascal => words.iter().map(|word| capital(word)).collect(),
            Self::Camel => {
                let rest = words.iter().skip(1).map(|word| capital(word));
                words.first().cloned().into_iter().chain(rest).collect()
            }
            Self::Snake => words.join("_"),
            Self::ScreamingSnake => words.join("_").to_uppercase(),
            Self::Kebab => words.join("-"),
            Self::ScreamingKebab => words.join("-").to_uppercase(),
        }
    }
}

/// Splits a snake-case or Pascal-case name into words, in lower case.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for part in name.split('_').filter(|part| !part.is_empty()) {
        let mut fresh = true;
        for char in part.chars() {
            // Each capital begins a word, as in serde: `CpuID` is `cpu_i_d`.
            if fresh || char.is_uppercase() {
                words.push(String::new());
            }
            fresh = false;
            if let Some(word) = words.last_mut() {
                word.extend(char.to_lowercase());
            }
        }
    }
    words
}

fn capital(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use super::Case;

    #[test]
    fn cases_rewrite_fields_and_variants() {
        for (case, field, variant) in [
            ("lowercase", "pluginid", "readonly"),
            ("UPPERCASE", "PLUGINID", "READONLY"),
            ("PascalCase", "PluginId", "ReadOnly"),
            ("camelCase", "pluginId", "readOnly"),
            ("snake_case", "plugin_id", "read_only"),
            ("SCREAMING_SNAKE_CASE", "PLUGIN_ID", "READ_ONLY"),
            ("kebab-case", "plugin-id", "read-only"),
            ("SCREAMING-KEBAB-CASE", "PLUGIN-ID", "READ-ONLY"),
        ] {
            let case = Case::named(case).unwrap();
            assert_eq!(case.apply("plugin_id"), field);
            assert_eq!(case.apply("ReadOnly"), variant);
        }
        assert!(Case::named("Pascal").is_err());
    }
}
