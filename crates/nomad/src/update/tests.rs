//! The merge and capacity rules: each violation with its message.

use super::*;
use crate::{
    modes::{Capability, access_mode, attachment_mode},
    rows::{ClaimCounts, Topology, TopologyRequest},
};

fn capability(access: &str) -> Capability {
    Capability { access_mode: access.into(), attachment_mode: attachment_mode::FILE_SYSTEM.into() }
}

fn rack(name: &str) -> TopologyRequest {
    let segments = [("rack".into(), name.into())].into();
    TopologyRequest { required: Some(vec![Topology { segments }]), preferred: None }
}

fn options(flags: &[&str]) -> MountOptions {
    let mount_flags = flags.iter().map(|flag| (*flag).into()).collect();
    MountOptions { fs_type: "ext4".into(), mount_flags }
}

fn registered() -> CsiVolume {
    CsiVolume {
        namespace: "default".into(),
        id: "vol".into(),
        name: "test".into(),
        external_id: "ext".into(),
        plugin_id: "minnie".into(),
        clone_id: "clone".into(),
        requested_topologies: Some(rack("R1")),
        topologies: rack("R1").required.unwrap_or_default(),
        requested_capabilities: vec![capability(access_mode::SINGLE_NODE_WRITER)],
        mount_options: Some(options(&["ro", "noatime"])),
        parameters: [("kind".into(), "fast".into())].into(),
        capacity: 100,
        ..Default::default()
    }
}

fn claimed() -> CsiVolume {
    CsiVolume {
        access_mode: access_mode::SINGLE_NODE_WRITER.into(),
        attachment_mode: attachment_mode::FILE_SYSTEM.into(),
        claims: ClaimCounts { writers: 1, ..Default::default() },
        ..registered()
    }
}

/// An update that changes nothing.
fn same() -> VolumeSpec {
    let volume = registered();
    VolumeSpec {
        plugin_id: volume.plugin_id,
        requested_topologies: volume.requested_topologies,
        requested_capabilities: volume.requested_capabilities,
        mount_options: volume.mount_options,
        ..Default::default()
    }
}

fn violations(mut volume: CsiVolume, spec: VolumeSpec) -> Vec<String> {
    match merge(&mut volume, spec) {
        Ok(()) => Vec::new(),
        Err(errors) => errors.errors().iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn empty_fields_mean_no_change() {
    let mut volume = registered();
    merge(&mut volume, same()).unwrap();
    assert_eq!(volume, registered());
}

#[test]
fn every_violation_is_reported_at_once() {
    let spec = VolumeSpec {
        name: "other".into(),
        external_id: "other".into(),
        plugin_id: Box::default(),
        clone_id: "other".into(),
        snapshot_id: "other".into(),
        requested_capabilities: vec![capability(access_mode::MULTI_NODE_READER)],
        requested_topologies: Some(rack("R2")),
        mount_options: None,
        parameters: [("kind".into(), "slow".into())].into(),
        ..Default::default()
    };
    assert_eq!(
        violations(claimed(), spec),
        [
            "volume name cannot be updated",
            "volume external ID cannot be updated",
            "volume plugin ID cannot be updated",
            "volume clone ID cannot be updated",
            "volume snapshot ID cannot be updated",
            "volume requested capabilities update was not compatible with existing capability in use",
            "volume topology request update was not compatible with existing topology",
            "can not update mount options while volume is in use",
            "volume parameters cannot be updated",
        ]
    );
}

#[test]
fn one_violation_prints_as_a_list_of_one() {
    let spec = VolumeSpec { name: "other".into(), ..same() };
    let error = update(&mut registered(), spec, || false, None).unwrap_err();
    assert_eq!(error.to_string(), "1 error occurred:\n\t* volume name cannot be updated\n\n");
}

#[test]
fn mount_flags_of_a_volume_in_use_may_be_reordered() {
    let spec = VolumeSpec { mount_options: Some(options(&["noatime", "ro"])), ..same() };
    assert!(violations(claimed(), spec).is_empty());
}

#[test]
fn unused_volumes_accept_new_options_capabilities_and_secrets() {
    let mut volume = registered();
    let spec = VolumeSpec {
        mount_options: None,
        requested_capabilities: vec![capability(access_mode::MULTI_NODE_READER)],
        secrets: [("key", "value")].into_iter().collect(),
        context: [("path".into(), "/".into())].into(),
        ..same()
    };
    merge(&mut volume, spec.clone()).unwrap();
    assert_eq!(volume.mount_options, None);
    assert_eq!(volume.requested_capabilities, spec.requested_capabilities);
    assert_eq!((volume.secrets.clone(), volume.context.clone()), (spec.secrets, spec.context));
    merge(&mut volume, VolumeSpec { mount_options: None, ..same() }).unwrap();
    assert!(volume.secrets.is_empty(), "an empty set of secrets replaces the old ones");
    assert!(!volume.context.is_empty(), "an absent context keeps the old one");
}

#[test]
fn a_volume_without_topologies_accepts_a_new_request() {
    let volume = CsiVolume { topologies: Vec::new(), ..registered() };
    let spec = VolumeSpec { requested_topologies: Some(rack("R2")), ..same() };
    assert!(violations(volume, spec).is_empty());
}

#[test]
fn contradictory_sizes_are_reported_in_human_bytes() {
    let text = |volume: &mut CsiVolume, min, max, expands| {
        request_capacity(volume, min, max, || expands, None).unwrap_err().to_string()
    };
    let mut volume = CsiVolume { capacity: 1_500, ..Default::default() };
    assert_eq!(
        text(&mut volume, 3, 2, true),
        "max requested capacity (2 B) less than or equal to min (3 B)"
    );
    assert_eq!(
        text(&mut volume, 0, 3, true),
        "max requested capacity (3 B) less than or equal to current (1.5 kB)"
    );
    assert_eq!(
        text(&mut volume, 2_000, 0, false),
        "expand is not implemented by this controller plugin"
    );
}

#[test]
fn sizes_within_the_capacity_are_only_stored() {
    let mut volume = CsiVolume { capacity: 1_500, ..Default::default() };
    request_capacity(&mut volume, 1_000, 2_000, || false, None).unwrap();
    assert_eq!((volume.requested_capacity_min, volume.requested_capacity_max), (1_000, 2_000));
    request_capacity(&mut volume, 0, 0, || false, None).unwrap();
    assert_eq!((volume.requested_capacity_min, volume.requested_capacity_max), (1_000, 2_000));
}
