//! statehold-volumes
