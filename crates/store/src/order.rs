//! The direction of a scan.

/// The direction of a scan, in the order of the keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// From the least key to the greatest.
    #[default]
    Ascending,
    /// From the greatest key to the least.
    Descending,
}
