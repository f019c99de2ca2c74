//! Quotas: what projects may have, what they have, and what is set aside for them.

mod over;
mod reserve;
mod sets;
mod usage;

pub use self::{
    over::OverQuota,
    reserve::{RESERVATION_NS, expire_reservations},
    sets::{QuotaSet, reset_quotas, set_class_quotas, set_quotas},
    usage::{
        DEFAULT_CLASS, Usage, class_limit, count_usage, quota_limit, quota_resources, quota_usage,
    },
};
pub(crate) use self::{
    reserve::{
        Deltas, add, apply, charge, check_size, commit, of_backup, of_groups, of_snapshot,
        of_volume, reserve, roll_back,
    },
    sets::forget_type,
    usage::restore_usage,
};
