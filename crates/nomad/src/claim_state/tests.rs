//! The claim sequences of Nomad's own tests, on a volume without a store. Nomad:
//! `nomad/structs/csi_test.go`.

use std::collections::BTreeMap;

use super::*;
use crate::modes::attachment_mode;

const CONTEXT: ClaimContext =
    ClaimContext { schedulable: true, allocation_known: true, allocation_over: false };

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn claim(allocation: u128, mode: ClaimMode, access_mode: &str) -> Claim {
    Claim {
        allocation_id: id(allocation),
        node_id: Some(id(900)),
        mode,
        access_mode: access_mode.into(),
        attachment_mode: attachment_mode::FILE_SYSTEM.into(),
        ..Default::default()
    }
}

fn read(allocation: u128, access_mode: &str) -> Claim {
    claim(allocation, ClaimMode::Read, access_mode)
}

fn write(allocation: u128, access_mode: &str) -> Claim {
    claim(allocation, ClaimMode::Write, access_mode)
}

fn in_state(claim: &Claim, state: ClaimState) -> Claim {
    Claim { state, ..claim.clone() }
}

fn volume(modes: &[&str]) -> Claimed {
    let volume = CsiVolume {
        requested_capabilities: modes
            .iter()
            .map(|mode| Capability {
                access_mode: (*mode).into(),
                attachment_mode: attachment_mode::FILE_SYSTEM.into(),
            })
            .collect(),
        ..Default::default()
    };
    Claimed { volume, ..Default::default() }
}

/// A volume with its claim rows.
#[derive(Clone, Debug, Default, PartialEq)]
struct Claimed {
    volume: CsiVolume,
    rows: BTreeMap<Uuid, CsiClaim>,
}

impl Claimed {
    fn apply_claim(&mut self, claim: Claim, context: ClaimContext) -> Result<(), ClaimRejection> {
        let id = claim.allocation_id;
        let mut row = self.rows.get(&id).cloned().unwrap_or_default();
        row.allocation_id = id;
        self.volume.apply_claim(&mut row, claim, context)?;
        self.rows.insert(id, row);
        self.rows.retain(|_, row| !row.is_free());
        let count = |of: fn(&CsiClaim) -> bool| self.rows.values().filter(|row| of(row)).count();
        assert_eq!(self.volume.claims.readers, count(|row| row.reading().is_some()) as u64);
        assert_eq!(self.volume.claims.writers, count(|row| row.writing().is_some()) as u64);
        assert_eq!(self.volume.claims.releasing, count(|row| row.past.is_some()) as u64);
        Ok(())
    }

    fn start_overdue_releases(&mut self, is_over: impl Fn(Uuid) -> bool) {
        for row in self.rows.values_mut().filter(|row| is_over(row.allocation_id)) {
            self.volume.start_release(row);
        }
    }

    fn past(&self, allocation: u128) -> Claim {
        self.rows[&id(allocation)].past.clone().unwrap()
    }

    fn counts(&self) -> (u64, u64) {
        (self.volume.claims.readers, self.volume.claims.writers)
    }
}

impl std::ops::Deref for Claimed {
    type Target = CsiVolume;

    fn deref(&self) -> &CsiVolume {
        &self.volume
    }
}

fn any_mode() -> Claimed {
    volume(&[
        access_mode::MULTI_NODE_READER,
        access_mode::MULTI_NODE_SINGLE_WRITER,
        access_mode::MULTI_NODE_MULTI_WRITER,
    ])
}

#[test]
fn first_claim_sets_the_modes_and_the_last_release_resets_them() {
    let mut volume = any_mode();
    let reader = read(1, access_mode::MULTI_NODE_READER);
    volume.apply_claim(reader.clone(), CONTEXT).unwrap();
    assert_eq!(&*volume.access_mode, access_mode::MULTI_NODE_READER);
    assert_eq!(&*volume.attachment_mode, attachment_mode::FILE_SYSTEM);

    let refused = volume.apply_claim(write(2, access_mode::MULTI_NODE_SINGLE_WRITER), CONTEXT);
    assert_eq!(refused, Err(ClaimRejection::Unschedulable));

    volume.apply_claim(in_state(&reader, ClaimState::ReadyToFree), CONTEXT).unwrap();
    assert_eq!((&*volume.access_mode, &*volume.attachment_mode), ("", ""));
    assert!(!volume.is_in_use());

    volume.apply_claim(write(2, access_mode::MULTI_NODE_SINGLE_WRITER), CONTEXT).unwrap();
    assert_eq!(&*volume.access_mode, access_mode::MULTI_NODE_SINGLE_WRITER);
}

#[test]
fn same_claim_again_changes_nothing() {
    let mut volume = any_mode();
    volume.apply_claim(write(1, access_mode::MULTI_NODE_SINGLE_WRITER), CONTEXT).unwrap();
    let before = volume.clone();
    let gone = ClaimContext { schedulable: false, allocation_known: false, allocation_over: true };
    volume.apply_claim(write(1, access_mode::MULTI_NODE_MULTI_WRITER), gone).unwrap();
    assert_eq!(volume, before);
}

#[test]
fn readers_may_join_a_single_writer_of_many_nodes() {
    let mut volume = any_mode();
    volume.apply_claim(write(1, access_mode::MULTI_NODE_SINGLE_WRITER), CONTEXT).unwrap();
    volume.apply_claim(read(2, access_mode::MULTI_NODE_READER), CONTEXT).unwrap();
    assert_eq!(&*volume.access_mode, access_mode::MULTI_NODE_SINGLE_WRITER);
    assert_eq!(volume.counts(), (1, 1));
}

#[test]
fn second_writer_waits_until_the_first_is_ready_to_free() {
    let mut volume = any_mode();
    let first = write(1, access_mode::MULTI_NODE_SINGLE_WRITER);
    let second = write(2, access_mode::MULTI_NODE_SINGLE_WRITER);
    volume.apply_claim(first.clone(), CONTEXT).unwrap();
    assert_eq!(volume.apply_claim(second.clone(), CONTEXT), Err(ClaimRejection::MaxClaims));
    for state in
        [ClaimState::Unpublishing, ClaimState::NodeDetached, ClaimState::ControllerDetached]
    {
        volume.apply_claim(in_state(&first, state), CONTEXT).unwrap();
        assert_eq!(volume.past(1).state, state);
        assert_eq!(volume.apply_claim(second.clone(), CONTEXT), Err(ClaimRejection::MaxClaims));
    }
    volume.apply_claim(in_state(&first, ClaimState::ReadyToFree), CONTEXT).unwrap();
    volume.apply_claim(second, CONTEXT).unwrap();
    assert_eq!(volume.rows.keys().copied().collect::<Vec<_>>(), [id(2)]);
}

#[test]
fn attachment_mode_cannot_change_while_claimed() {
    let mut volume = any_mode();
    volume.apply_claim(read(1, access_mode::MULTI_NODE_READER), CONTEXT).unwrap();
    let block = Claim {
        attachment_mode: attachment_mode::BLOCK_DEVICE.into(),
        ..read(2, access_mode::MULTI_NODE_READER)
    };
    let refused = volume.apply_claim(block, CONTEXT).unwrap_err();
    assert_eq!(refused.to_string(), "cannot change attachment mode of claimed volume");
}

#[test]
fn single_node_modes_allow_one_claim() {
    let mut reader = volume(&[access_mode::SINGLE_NODE_READER]);
    reader.apply_claim(read(1, access_mode::SINGLE_NODE_READER), CONTEXT).unwrap();
    let full = reader.apply_claim(read(2, access_mode::SINGLE_NODE_READER), CONTEXT).unwrap_err();
    assert_eq!(full.to_string(), "volume max claims reached");
    let refused =
        reader.apply_claim(write(3, access_mode::SINGLE_NODE_WRITER), CONTEXT).unwrap_err();
    assert_eq!(refused.to_string(), "volume is currently unschedulable");

    let mut writer = volume(&[access_mode::SINGLE_NODE_WRITER]);
    writer.apply_claim(write(1, access_mode::SINGLE_NODE_WRITER), CONTEXT).unwrap();
    let refused = writer.apply_claim(read(2, access_mode::SINGLE_NODE_WRITER), CONTEXT);
    assert_eq!(refused, Err(ClaimRejection::MaxClaims));
}

#[test]
fn writers_require_a_capability_that_writes() {
    let mut volume = volume(&[access_mode::MULTI_NODE_READER]);
    let refused = volume.apply_claim(write(1, access_mode::MULTI_NODE_READER), CONTEXT);
    assert_eq!(refused, Err(ClaimRejection::Unschedulable));
}

#[test]
fn unschedulable_and_unknown_are_distinct_errors() {
    let mut volume = any_mode();
    let gone = ClaimContext { schedulable: false, allocation_known: false, allocation_over: true };
    let refused = volume.apply_claim(read(1, access_mode::MULTI_NODE_READER), gone).unwrap_err();
    assert_eq!(refused.to_string(), "allocation missing: 00000000-0000-0000-0000-000000000001");
    let sick = ClaimContext { schedulable: false, allocation_known: true, allocation_over: false };
    let refused = volume.apply_claim(read(1, access_mode::MULTI_NODE_READER), sick);
    assert_eq!(refused, Err(ClaimRejection::Unschedulable));
}

#[test]
fn modes_of_old_volumes_become_their_only_capability() {
    let mut volume = volume(&[]);
    volume.volume.access_mode = access_mode::MULTI_NODE_READER.into();
    volume.volume.attachment_mode = attachment_mode::FILE_SYSTEM.into();
    let reader = read(1, access_mode::MULTI_NODE_READER);
    volume.apply_claim(reader.clone(), CONTEXT).unwrap();
    assert_eq!(volume.requested_capabilities.len(), 1);
    volume.apply_claim(in_state(&reader, ClaimState::ReadyToFree), CONTEXT).unwrap();
    assert_eq!(&*volume.access_mode, "");
    // No upgrade: the only capability reads.
    let refused = volume.apply_claim(write(2, access_mode::MULTI_NODE_SINGLE_WRITER), CONTEXT);
    assert_eq!(refused, Err(ClaimRejection::Unschedulable));
}

#[test]
fn a_release_keeps_the_fields_of_its_claim() {
    let mut volume = any_mode();
    let taken =
        Claim { external_node_id: "i-12345".into(), ..read(1, access_mode::MULTI_NODE_READER) };
    volume.apply_claim(taken, CONTEXT).unwrap();
    let bare = Claim {
        allocation_id: id(1),
        mode: ClaimMode::Gc,
        state: ClaimState::Unpublishing,
        ..Default::default()
    };
    volume.apply_claim(bare, CONTEXT).unwrap();
    let past = volume.past(1);
    assert_eq!((&*past.external_node_id, past.node_id), ("i-12345", Some(id(900))));
    assert_eq!(past.state, ClaimState::Unpublishing);
    assert!(volume.is_in_use());
}

#[test]
fn claims_of_ended_allocations_block_until_released() {
    let mut volume = any_mode();
    volume.apply_claim(write(1, access_mode::MULTI_NODE_SINGLE_WRITER), CONTEXT).unwrap();
    volume.apply_claim(read(2, access_mode::MULTI_NODE_READER), CONTEXT).unwrap();
    volume.start_overdue_releases(|allocation| allocation == id(1));
    assert_eq!(volume.claims.releasing, 1);
    assert_eq!(volume.past(1).state, ClaimState::Unpublishing);
    let refused = volume.apply_claim(write(3, access_mode::MULTI_NODE_SINGLE_WRITER), CONTEXT);
    assert_eq!(refused, Err(ClaimRejection::MaxClaims));
    // A release that has progressed further keeps its state.
    let detached = in_state(&volume.past(1), ClaimState::NodeDetached);
    volume.apply_claim(detached, CONTEXT).unwrap();
    volume.start_overdue_releases(|_| true);
    assert_eq!(volume.past(1).state, ClaimState::NodeDetached);
    assert_eq!(volume.claims.releasing, 2);
}

#[test]
fn a_writer_replaces_its_own_read_claim() {
    let mut volume = any_mode();
    volume.apply_claim(read(1, access_mode::MULTI_NODE_MULTI_WRITER), CONTEXT).unwrap();
    volume.apply_claim(write(1, access_mode::MULTI_NODE_MULTI_WRITER), CONTEXT).unwrap();
    assert_eq!(volume.counts(), (0, 1));
}
