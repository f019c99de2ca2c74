//! Suggests the name that a client probably meant.

/// Returns the closest of `names`: one that differs in case only, or in at most a third of its
/// characters.
pub(super) fn nearest<'n>(wanted: &str, names: &[&'n str]) -> Option<&'n str> {
    /// Longer names are not compared: their distance costs more than a suggestion is worth.
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

/// Returns the number of characters to insert, remove, replace or swap with the next one.
fn distance(from: &str, to: &str) -> usize {
    let from: Vec<char> = from.chars().collect();
    let to: Vec<char> = to.chars().collect();
    // Optimal string alignment: row i, column j is the distance of the first i and j characters.
    let mut rows = vec![vec![0; to.len() + 1]; from.len() + 1];
    for i in 0..=from.len() {
        for j in 0..=to.len() {
            rows[i][j] = match (i, j) {
                (0, n) | (n, 0) => n,
                _ => {
                    let (own, other) = (from[i - 1], to[j - 1]);
                    let replaced = rows[i - 1][j - 1] + usize::from(own != other);
                    let best = replaced.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
                    let swapped = i > 1 && j > 1 && own == to[j - 2] && from[i - 2] == other;
                    if swapped { best.min(rows[i - 2][j - 2] + 1) } else { best }
                }
            };
        }
    }
    rows[from.len()][to.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn the_nearest_name_is_close_or_none() {
        let names = ["ID", "Name", "PluginID", "Schedulable"];
        assert_eq!(nearest("plugin_id", &names), Some("PluginID"));
        assert_eq!(nearest("Nme", &names), Some("Name"));
        assert_eq!(nearest("Nmae", &names), Some("Name"));
        assert_eq!(nearest("Shedulabel", &names), Some("Schedulable"));
        assert_eq!(nearest("Bogus", &names), None);
    }
}
