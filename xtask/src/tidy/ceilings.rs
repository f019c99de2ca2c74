//! The bounds that hold for every crate.

/// The bounds of a crate. Rates are per 1,000 words of comments.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ceilings {
    /// At most this rate of `what`.
    pub(crate) what: f64,
    /// At most this rate of `who`, `nobody` and the like.
    pub(crate) who: f64,
    /// At most this rate of `told`, `tells` and `says`.
    pub(crate) told: f64,
    /// At most this rate of `he`, `him` and `his`.
    pub(crate) he: f64,
    /// At least this rate of `must`, `should` and `returns`.
    pub(crate) contract: f64,
    /// At least this number of `//` lines for each 100 lines of code in `src`.
    pub(crate) why: f64,
}

/// The bounds of every crate.
pub(crate) const TARGET: Ceilings =
    Ceilings { what: 2.0, who: 0.3, told: 0.7, he: 0.0, contract: 4.0, why: 3.0 };
