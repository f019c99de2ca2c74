//! statehold-store
