//! The conformance suite, on a driver that keeps the contract and on drivers that break it.

use statehold_cinder_server::backend::conformance;

use crate::memory_driver::{Fault, MemoryDriver, TestedMemory};

#[test]
fn a_driver_without_paths_keeps_the_contract() {
    conformance(&mut TestedMemory::default()).unwrap();
}

#[test]
fn the_suite_finds_each_fault_of_a_driver() {
    for (fault, rule) in [
        (Fault::EmptiesOnRepeatedCreation, "a repeated creation keeps its data"),
        (Fault::FollowsVolumeInSnapshot, "a snapshot holds the data of one moment"),
        (Fault::ImportsInPlace, "an import that fails leaves the state before it"),
        (Fault::ImportsBeforeEnd, "an import that a crash cuts short leaves the state before it"),
        (Fault::ListsFrozenCopies, "a frozen copy holds the data of one moment, is not listed"),
        (Fault::FailsToDeleteAbsent, "a deletion is repeatable"),
        (Fault::Shrinks, "never makes a volume smaller"),
        (Fault::RevertsSize, "a reverted volume has the data of its snapshot, and keeps its size"),
        (Fault::HidesLastExtent, "reads as zeros"),
        (Fault::AdoptsAbsent, "an unmanaged object is adopted once, by its own name only"),
        (Fault::ClonesInTwoSteps, "a call that a crash cuts short leaves whole objects or none"),
    ] {
        let driver = MemoryDriver::with_fault(fault);
        let violation = conformance(&mut TestedMemory(driver)).unwrap_err();
        assert!(violation.rule().contains(rule), "{fault:?}: {violation}");
    }
}
