//! The direction of a scan.

/// The direction of a scan, in the order of the keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// From the lowest key to the highest.
    #[default]
    Ascending,
    /// From the highest key to the lowest.
    Descending,
}
