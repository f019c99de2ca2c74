//! Bodies with quotas.

use crate::schema::{Check, Field, Rule, Type, closed, format::Pattern, kinds::CLASS_LIMIT};

/// `PUT /os-quota-sets/{project}`.
// Cinder: cinder/api/schemas/quotas.py. The values are checked with the keys, which depend on the volume
// types.
pub(crate) const QUOTA_SET: Rule =
    closed(&[Check::Fields(&[Field::required("quota_set", LIMITS)]), Check::Closed]);

const LIMITS: Rule = Rule { types: &[Type::Object], checks: &[Check::MinMembers(1)] };

/// `PUT /os-quota-class-sets/{class}`.
// Cinder: cinder/api/schemas/quota_classes.py. The values are checked by [CLASS_LIMITS] once the keys are
// known to be right.
pub(crate) const QUOTA_CLASS_SET: Rule =
    closed(&[Check::Fields(&[Field::required("quota_class_set", OBJECT)]), Check::Closed]);

const OBJECT: Rule = closed(&[]);

/// The limits of a class, by resource.
pub(crate) const CLASS_LIMITS: Rule = closed(&[Check::Keys(Pattern::QuotaKey, &CLASS_LIMIT)]);
