//! The name that was probably meant.

/// The closest of `names`: differing in case only, or by at most a third of its characters.
pub(super) fn nearest<'n>(wanted: &str, names: &[&'n str]) -> Option<&'n str> {
    /// Longer names are not compared: nobody mistypes them by a few characters.
    const LENGTH_MAX: usize = 64;
    if wanted.len() > LENGTH_MAX {
        return None;
    }
    let plain = |name: &str| name.replace(['_', '-'], "").to_lowercase();
    let wanted_plain = plain(wanted);
    names
        .iter()
        .filter(|name| name.len() <= LENGTH_MAX)
        .map(|name| (distance(&wanted_plain, &plain(name)), *name))
        .filter(|(distance, name)| *distance <= name.len().max(wanted.len()) / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// How many characters have to be inserted, removed or replaced.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, from_char) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to_char) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(from_char != *to_char);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn the_nearest_name_is_close_or_none() {
        let names = ["ID", "Name", "PluginID", "Schedulable"];
        assert_eq!(nearest("plugin_id", &names), Some("PluginID"));
        assert_eq!(nearest("Nme", &names), Some("Name"));
        assert_eq!(nearest("Shedulabel", &names), Some("Schedulable"));
        assert_eq!(nearest("Bogus", &names), None);
    }
}
