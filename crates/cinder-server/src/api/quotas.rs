//! Quotas and limits.

use axum::http::StatusCode;
use statehold_cinder::{LimitsView, QuotaSet, policy, reset_quotas, set_class_quotas, set_quotas};
use statehold_store::{Snapshot, WriteTxn};

use crate::api::operation::{OK_DONE, PROJECT_ID, TENANT_ID, USAGE, of, ok};
use crate::api::routes;
use crate::api::routes::Route;
use crate::request::{ApiError, CinderReply, CinderRequest};
use serde_json::Value;
use statehold_cinder::input::bodies;

/// The routes of quotas and limits.
pub(crate) static ROUTES: &[Route] = &[
    routes::list("/v3/os-quota-sets/{project}", "Shows the quotas of a project.", show)
        .query(&[USAGE])
        .reply(ok("quota_set", of::<Value>)),
    routes::write("PUT", "/v3/os-quota-sets/{project}", "Sets quotas of a project.", update)
        .body(bodies::QUOTA_SET)
        .reply(ok("quota_set", of::<Value>)),
    routes::write(
        "DELETE",
        "/v3/os-quota-sets/{project}",
        "Resets the quotas of a project to the defaults.",
        reset,
    )
    .reply(OK_DONE),
    routes::read(
        "/v3/os-quota-sets/{project}/defaults",
        "Shows the default quotas of projects.",
        defaults,
    )
    .reply(ok("quota_set", of::<Value>)),
    routes::read("/v3/os-quota-class-sets/{class}", "Shows the quotas of a class.", show_class)
        .reply(ok("quota_class_set", of::<Value>)),
    routes::write(
        "PUT",
        "/v3/os-quota-class-sets/{class}",
        "Sets quotas of a class.",
        update_class,
    )
    .body(bodies::QUOTA_CLASS_SET)
    .reply(ok("quota_class_set", of::<Value>)),
    routes::list("/v3/limits", "Shows the limits and the usage of a project.", limits)
        .query(&[PROJECT_ID, TENANT_ID])
        .reply(ok("limits", of::<LimitsView>)),
];

/// First version whose admins may request the limits of another project.
// Cinder: cinder/api/microversions.py, LIMITS_ADMIN_FILTER.
const OF_PROJECT_SINCE: u16 = 39;

fn show(view: &Snapshot, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    let (cx, project) = (&call.cx, call.segment("project"));
    let usage = call.flag("usage")?;
    CinderReply::ok("quota_set", &QuotaSet::of_project(view, cx.config, cx.caller, project, usage)?)
}

fn defaults(view: &Snapshot, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    let (cx, project) = (&call.cx, call.segment("project"));
    CinderReply::ok("quota_set", &QuotaSet::defaults(view, cx.config, cx.caller, project)?)
}

fn update(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    let (cx, project) = (&call.cx, call.segment("project"));
    set_quotas(txn, cx.config, cx.caller, project, call.body)?;
    // The reply has no ID. Cinder: cinder/api/contrib/quotas.py, QuotaSetsController.update.
    let set = QuotaSet::of_project(txn, cx.config, cx.caller, project, false)?;
    CinderReply::ok("quota_set", &set.without_id())
}

fn reset(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    reset_quotas(txn, call.cx.caller, call.segment("project"))?;
    Ok(CinderReply::empty_json(StatusCode::OK))
}

fn show_class(view: &Snapshot, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    let (cx, class) = (&call.cx, call.segment("class"));
    CinderReply::ok("quota_class_set", &QuotaSet::of_class(view, cx.config, cx.caller, class)?)
}

fn update_class(txn: &mut WriteTxn<'_>, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    let (cx, class) = (&call.cx, call.segment("class"));
    set_class_quotas(txn, cx.caller, class, call.body)?;
    let set = QuotaSet::of_class(txn, cx.config, cx.caller, class)?;
    CinderReply::ok("quota_class_set", &set.without_id())
}

fn limits(view: &Snapshot, call: &CinderRequest<'_>) -> Result<CinderReply, ApiError> {
    let cx = &call.cx;
    // The action guards the usage alone. Cinder: cinder/api/contrib/used_limits.py, UsedLimitsController.index.
    let shows_used = cx.caller.check(policy::LIMITS).is_ok();
    // Other callers get their own limits instead of an error. Cinder: cinder/api/v3/limits.py, LimitsController.index.
    let other = call.parameter("project_id").or_else(|| call.parameter("tenant_id"));
    let may_name = cx.caller.is_admin() && cx.version.at_least(OF_PROJECT_SINCE);
    let project = other.filter(|_| may_name).unwrap_or(&cx.caller.project);
    CinderReply::ok("limits", &LimitsView::new(view, cx.config, project, shows_used))
}
