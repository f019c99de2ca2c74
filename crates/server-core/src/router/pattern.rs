//! Patterns of paths: `{name}` stands for one segment that is not empty, `{*}` at the end for one or more of any kind.
//!
//! The pattern is compared with the path as it was sent, before its escapes are decoded, so that `%2F` never separates
//! segments. The caller tries its routes in the order of its table: the first pattern that fits counts.

/// The placeholders of a pattern with the segments of a path that they stand for, still encoded.
pub type Captures<'p> = Vec<(&'static str, &'p str)>;

/// Returns the captures of a pattern in a path, or `None` if the path does not fit. Both begin with a slash. Cost: one
/// pass over both.
///
/// ```
/// use statehold_server_core::router::captures;
///
/// let found = captures("/v1/volume/csi/{id}", "/v1/volume/csi/a%2Fb");
/// assert_eq!(found, Some(vec![("id", "a%2Fb")]));
/// assert_eq!(captures("/v1/volume/csi/{id}", "/v1/volume/csi/"), None);
/// ```
pub fn captures<'p>(pattern: &'static str, path: &'p str) -> Option<Captures<'p>> {
    captures_of(pattern.split('/'), path.split('/'))
}

/// Like [`captures`], of segments that were split already.
pub fn captures_of<'p>(
    pattern: impl Iterator<Item = &'static str>,
    mut path: impl Iterator<Item = &'p str>,
) -> Option<Captures<'p>> {
    let mut found = Vec::new();
    for wanted in pattern {
        let segment = path.next()?;
        if wanted == "{*}" {
            return Some(found);
        }
        match wanted.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
            Some(name) if !segment.is_empty() => found.push((name, segment)),
            None if segment == wanted => {}
            _ => return None,
        }
    }
    path.next().is_none().then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_fits_whole_paths_only() {
        assert_eq!(captures("/a/{x}/b", "/a/1/b"), Some(vec![("x", "1")]));
        for path in ["/a/1", "/a/1/b/c", "/a//b", "/a/1/c", "a/1/b"] {
            assert_eq!(captures("/a/{x}/b", path), None, "{path}");
        }
    }

    #[test]
    fn a_rest_is_one_or_more_segments() {
        assert_eq!(captures("/a/{*}", "/a/"), Some(Vec::new()));
        assert_eq!(captures("/a/{*}", "/a/b/c"), Some(Vec::new()));
        assert_eq!(captures("/a/{*}", "/a"), None);
    }
}
