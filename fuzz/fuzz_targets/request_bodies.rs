//! Any bytes are a request's body or rejected, and the parsed request can be tried without a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use statehold_nomad::{
    ErrorClass, OperationError, bootstrap, claim, input, plan_host_create, plan_host_register,
    register, report_node, schema, unpublish, upsert_allocation, upsert_job, upsert_namespace,
};
use statehold_store::Store;
use uuid::Uuid;

const ID: Uuid = Uuid::from_u128(0xfb21_70a8_257d_3c64_b14d_bc06_cc94_e34c);

/// Returns the result; an error must have a message, and must not be the store's.
fn accepted<T, E: OperationError>(result: Result<T, E>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(error) => {
            assert!(!error.to_string().is_empty());
            assert_ne!(error.class(), ErrorClass::Storage, "{error}");
            None
        }
    }
}

fuzz_target!(|body: &[u8]| {
    let store = Store::in_memory(&schema());
    let mut txn = store.begin_write().expect("a store in memory accepts writes");
    bootstrap(&mut txn).expect("an empty store accepts its namespace");
    if let Some(node) = accepted(input::node_body(body, ID)) {
        accepted(report_node(&mut txn, 1, node));
    }
    if let Some(namespace) = accepted(input::namespace_body(body, None)) {
        accepted(upsert_namespace(&mut txn, namespace));
    }
    if let Some(job) = accepted(input::job_body(body, "default", "job")) {
        accepted(upsert_job(&mut txn, 2, job, &mut || ID));
    }
    if let Some(body) = accepted(input::allocation_body(body, ID)) {
        accepted(upsert_allocation(&mut txn, 3, body.allocation, body.group, &mut || ID));
    }
    if let Some(body) = accepted(input::register_body(body)) {
        accepted(register(&mut txn, 4, "default", body.volumes));
    }
    if let Some(request) = accepted(input::claim_body(body)) {
        accepted(claim(&mut txn, 5, "default", "v", request.clone()));
        accepted(unpublish(&mut txn, 6, "default", "v", request));
    }
    if let Some(body) = accepted(input::host_volume_body(body)) {
        accepted(plan_host_create(&txn, 7, "default", body.volume.clone(), ID));
        accepted(plan_host_register(&txn, 7, "default", body.volume, ID));
    }
    accepted(input::snapshots_body(body));
    accepted(input::search_body(body));
    txn.commit().expect("written rows can be committed");
});
