//! Sticky claims: created and handed on when allocations are placed, one for each job, group and
//! volume. Method: a store in memory and a node with volumes.

use crate::common::*;
use statehold_nomad::*;
use statehold_store::{Order, ReadView};
use uuid::Uuid;

const VOLUME: Uuid = Uuid::from_u128(0xd15c);

/// Node 1 has the dynamic volume `disk` and the configured volume `static`.
fn cluster() -> Cluster {
    let cluster = Cluster::empty();
    let has = |name: &str, id| NodeHostVolume { name: name.into(), id, ..Default::default() };
    let report = NodeReport {
        node: Node { id: id(1), ..Default::default() },
        host_volumes: [has("disk", Some(VOLUME)), has("static", None)]
            .map(|volume| (volume.name.clone(), volume))
            .into(),
    };
    cluster.write(|txn| report_node(txn, NOW, report)).unwrap();
    cluster
}

fn place(cluster: &Cluster, allocation: Allocation) {
    let asks = |source: &str, sticky| VolumeRequest {
        source: source.into(),
        sticky,
        ..Default::default()
    };
    let group = TaskGroup {
        volumes: vec![asks("disk", true), asks("static", true), asks("disk", false)],
        ..Default::default()
    };
    cluster
        .write(|txn| upsert_allocation(txn, NOW, allocation, Some(group), &mut fresh()))
        .unwrap();
}

fn claims(cluster: &Cluster) -> Vec<TaskGroupClaim> {
    let view = cluster.view();
    list_task_group_claims(&view, &TaskGroupClaimQuery::default())
        .map(|claim| TaskGroupClaim::clone(claim))
        .collect()
}

fn one(cluster: &Cluster) -> TaskGroupClaim {
    let [claim] = &claims(cluster)[..] else { panic!("one claim") };
    claim.clone()
}

#[test]
fn the_first_allocation_claims_the_dynamic_volumes_of_its_node() {
    let cluster = cluster();
    place(&cluster, running(10, 1));
    let claim = one(&cluster);
    assert_eq!(
        (&*claim.namespace, &*claim.job_id, &*claim.task_group),
        ("default", "job", "group")
    );
    assert_eq!((claim.alloc_id, claim.volume_id, &*claim.volume_name), (id(10), VOLUME, "disk"));
    let view = cluster.view();
    let entry = view.find(&TaskGroupClaims::BY_ID, claim.id).unwrap();
    let json = serde_json::to_value(TaskGroupClaimView::new(entry)).unwrap();
    assert_eq!(json.as_object().unwrap().len(), 9);
    assert_eq!(json["TaskGroupName"], "group");
    assert_eq!(json["AllocID"], id(10).to_string());
}

#[test]
fn an_update_of_an_allocation_creates_no_claim() {
    let cluster = cluster();
    place(&cluster, running(10, 1));
    let (claim, index) = (one(&cluster), cluster.view().index());
    place(&cluster, Allocation { client_status: "complete".into(), ..running(10, 1) });
    assert_eq!(one(&cluster), claim);
    let view = cluster.view();
    assert_eq!(view.find(&TaskGroupClaims::BY_ID, claim.id).unwrap().modify_index(), index);
}

#[test]
fn a_claim_of_an_ended_allocation_is_handed_on() {
    let cluster = cluster();
    place(&cluster, running(10, 1));
    let claim = one(&cluster);
    cluster.allocation(Allocation { desired_status: "stop".into(), ..running(10, 1) });
    place(&cluster, running(11, 1));
    assert_eq!(one(&cluster), TaskGroupClaim { alloc_id: id(11), ..claim });
}

#[test]
fn a_claim_of_a_running_or_deleted_allocation_is_replaced() {
    let cluster = cluster();
    place(&cluster, running(10, 1));
    let first = one(&cluster);
    place(&cluster, running(11, 1));
    let second = one(&cluster);
    assert!(first.id != second.id && second.alloc_id == id(11));
    cluster.write(|txn| delete_allocation(txn, NOW, id(11))).unwrap();
    place(&cluster, running(12, 1));
    let third = one(&cluster);
    assert!(second.id != third.id && third.alloc_id == id(12));
}

#[test]
fn no_claim_is_created_on_a_node_without_the_volume() {
    let cluster = cluster();
    place(&cluster, running(10, 2));
    place(&cluster, Allocation { node_id: None, ..running(11, 1) });
    assert_eq!(claims(&cluster), []);
}

#[test]
fn claims_are_deleted_with_their_job() {
    let cluster = cluster();
    for job in ["job", "other"] {
        let row = Job { id: job.into(), ..Default::default() };
        cluster.write(|txn| upsert_job(txn, NOW, row, &mut fresh())).unwrap();
    }
    place(&cluster, running(10, 1));
    place(&cluster, Allocation { job_id: "other".into(), ..running(11, 1) });
    cluster.write(|txn| delete_job(txn, NOW, "default", "job")).unwrap();
    assert_eq!(&*one(&cluster).job_id, "other");
}

#[test]
fn claims_are_deleted_by_id_in_their_namespace_only() {
    let cluster = cluster();
    cluster
        .write(|txn| upsert_namespace(txn, Namespace { name: "dev".into(), ..Default::default() }))
        .unwrap();
    place(&cluster, Allocation { namespace: "dev".into(), ..running(10, 1) });
    let claim = one(&cluster).id;
    let refused = cluster.write(|txn| delete_namespace(txn, "dev")).unwrap_err();
    assert!(refused.to_string().contains("one task group volume claim"), "{refused}");
    for (namespace, id) in [("default", claim), ("*", claim), ("dev", id(77))] {
        let refused = cluster.write(|txn| delete_group_claim(txn, namespace, id)).unwrap_err();
        assert_eq!(refused.to_string(), "task group volume claim does not exist");
        assert_eq!(refused.class(), ErrorClass::NotFound);
    }
    cluster.write(|txn| delete_group_claim(txn, "dev", claim)).unwrap();
    assert_eq!(claims(&cluster), []);
    cluster.write(|txn| delete_namespace(txn, "dev")).unwrap();
}

#[test]
fn lists_select_by_field_and_by_the_claims_id() {
    let cluster = cluster();
    for (allocation, namespace, job, group) in [
        (10, "default", "a", "g1"),
        (11, "default", "a", "g2"),
        (12, "default", "b", "g1"),
        (13, "prod", "a", "g1"),
    ] {
        place(
            &cluster,
            Allocation {
                namespace: namespace.into(),
                job_id: job.into(),
                task_group: group.into(),
                ..running(allocation, 1)
            },
        );
    }
    let listed = |query: TaskGroupClaimQuery<'_>| -> Vec<u128> {
        let view = cluster.view();
        list_task_group_claims(&view, &query).map(|claim| claim.alloc_id.as_u128()).collect()
    };
    let all = TaskGroupClaimQuery::default();
    assert_eq!(listed(all), [10, 11, 12, 13]);
    assert_eq!(listed(TaskGroupClaimQuery { order: Order::Descending, ..all }), [13, 12, 11, 10]);
    assert_eq!(listed(TaskGroupClaimQuery { namespace: "prod", ..all }), [13]);
    assert_eq!(listed(TaskGroupClaimQuery { job_id: "a", ..all }), [10, 11, 13]);
    assert_eq!(listed(TaskGroupClaimQuery { task_group: "g2", ..all }), [11]);
    assert_eq!(listed(TaskGroupClaimQuery { volume_name: "disk", ..all }).len(), 4);
    assert_eq!(listed(TaskGroupClaimQuery { volume_name: "dis", ..all }), []);
    let third = claims(&cluster)[2].id.to_string().to_uppercase();
    assert_eq!(listed(TaskGroupClaimQuery { prefix: &third, ..all }), [12]);
    assert_eq!(listed(TaskGroupClaimQuery { prefix: "zz", ..all }), []);
    let from = Some(("default", ("a", "g2", VOLUME)));
    assert_eq!(listed(TaskGroupClaimQuery { from, ..all }), [11, 12, 13]);
    let filter = statehold_filter::Filter::<TaskGroupClaimItem>::compile(
        r#"TaskGroupName == "g1" and JobID != "b" and ModifyIndex != 0"#,
    );
    let filter = filter.unwrap();
    let view = cluster.view();
    let items = list_task_group_claims(&view, &all).map(TaskGroupClaimItem::new);
    assert_eq!(items.filter(|item| filter.matches(item)).count(), 2);
}
