//! statehold-filter
