//! Quotas: limits, usage and reservations of projects.

mod reserve;
mod sets;
mod usage;

pub(crate) use self::{
    reserve::{
        Deltas, add, apply, charge, check_size, commit, of_backup, of_groups, of_snapshot,
        of_volume, reserve, roll_back,
    },
    sets::forget_type,
    usage::restore_usage,
};
pub use self::{
    reserve::{RESERVATION_NS, expire_reservations},
    sets::{QuotaSet, reset_quotas, set_class_quotas, set_quotas},
    usage::{
        DEFAULT_CLASS, Usage, class_limit, count_usage, quota_limit, quota_resources, quota_usage,
    },
};
