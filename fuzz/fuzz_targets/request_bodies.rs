//! Any bytes are a request's body or refused, and what is read of them can be tried without a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use statehold_store::Store;
use statehold_nomad::{
    Fault, OperationError, bootstrap, claim, input, plan_host_create, plan_host_register, register,
    schema, unpublish, upsert_allocation, upsert_job, upsert_namespace, report_node,
};
use uuid::Uuid;

const ID: Uuid = Uuid::from_u128(0xfb21_70a8_257d_3c64_b14d_bc06_cc94_e34c);

/// An error says something, and nothing of it is the store's fault.
fn told<T, E: OperationError>(result: Result<T, E>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(error) => {
            assert!(!error.to_string().is_empty());
            assert_ne!(error.fault(), Fault::Storage, "{error}");
            None
        }
    }
}

fuzz_target!(|body: &[u8]| {
    let store = Store::in_memory(&schema());
    let mut txn = store.begin_write().expect("a store in memory takes writes");
    bootstrap(&mut txn).expect("an empty store takes its namespace");
    if let Some(node) = told(input::node_body(body, ID)) {
        told(report_node(&mut txn, 1, node));
    }
    if let Some(namespace) = told(input::namespace_body(body, None)) {
        told(upsert_namespace(&mut txn, namespace));
    }
    if let Some(job) = told(input::job_body(body, "default", "job")) {
        told(upsert_job(&mut txn, 2, job, &mut || ID));
    }
    if let Some(body) = told(input::allocation_body(body, ID)) {
        told(upsert_allocation(&mut txn, 3, body.allocation, body.group, &mut || ID));
    }
    if let Some(body) = told(input::register_body(body)) {
        told(register(&mut txn, 4, "default", body.volumes));
    }
    if let Some(request) = told(input::claim_body(body)) {
        told(claim(&mut txn, 5, "default", "v", request.clone()));
        told(unpublish(&mut txn, 6, "default", "v", request));
    }
    if let Some(body) = told(input::host_volume_body(body)) {
        told(plan_host_create(&txn, 7, "default", body.volume.clone(), ID));
        told(plan_host_register(&txn, 7, "default", body.volume, ID));
    }
    told(input::snapshots_body(body));
    told(input::search_body(body));
    txn.commit().expect("what could be written can be committed");
});
