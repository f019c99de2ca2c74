//! Access and attachment modes of volumes, and the modes and states of claims.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use statehold_filter::Filterable;

/// Access modes of a volume. The provider decides which of them it supports.
// Nomad: nomad/structs/csi.go, CSIVolumeAccessMode; nomad/structs/host_volumes.go,
// HostVolumeCapability.Validate.
pub mod access_mode {
    /// One node, read-only.
    pub const SINGLE_NODE_READER: &str = "single-node-reader-only";
    /// One node, read and write.
    pub const SINGLE_NODE_WRITER: &str = "single-node-writer";
    /// One node, where one allocation writes. For host volumes only.
    pub const SINGLE_NODE_SINGLE_WRITER: &str = "single-node-single-writer";
    /// One node, where many allocations write. For host volumes only.
    pub const SINGLE_NODE_MULTI_WRITER: &str = "single-node-multi-writer";
    /// Many nodes, read-only.
    pub const MULTI_NODE_READER: &str = "multi-node-reader-only";
    /// Many nodes read, one writes.
    pub const MULTI_NODE_SINGLE_WRITER: &str = "multi-node-single-writer";
    /// Many nodes read and write.
    pub const MULTI_NODE_MULTI_WRITER: &str = "multi-node-multi-writer";

    /// Returns whether `mode` allows writing.
    pub(crate) fn writes(mode: &str) -> bool {
        matches!(mode, SINGLE_NODE_WRITER | MULTI_NODE_SINGLE_WRITER | MULTI_NODE_MULTI_WRITER)
    }

    /// Returns whether CSI volumes support the mode.
    pub(crate) fn is_of_csi(mode: &str) -> bool {
        writes(mode) || matches!(mode, SINGLE_NODE_READER | MULTI_NODE_READER)
    }

    /// Returns whether host volumes support the mode.
    pub(crate) fn is_of_host(mode: &str) -> bool {
        matches!(
            mode,
            SINGLE_NODE_READER
                | SINGLE_NODE_WRITER
                | SINGLE_NODE_SINGLE_WRITER
                | SINGLE_NODE_MULTI_WRITER
        )
    }
}

/// Attachment modes of a volume.
pub mod attachment_mode {
    /// As a mounted file system.
    pub const FILE_SYSTEM: &str = "file-system";
    /// As a raw block device.
    pub const BLOCK_DEVICE: &str = "block-device";

    /// Returns whether the mode exists.
    pub(crate) fn is_known(mode: &str) -> bool {
        matches!(mode, FILE_SYSTEM | BLOCK_DEVICE)
    }
}

/// A pair of access mode and attachment mode that a volume must offer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Filterable)]
#[serde(rename_all = "PascalCase")]
#[filterable(rename_all = "PascalCase")]
pub struct Capability {
    /// One of [`attachment_mode`].
    pub attachment_mode: Box<str>,
    /// One of [`access_mode`].
    pub access_mode: Box<str>,
}

/// A string or a number that names no mode or state of a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownName {
    what: &'static str,
    found: Box<str>,
}

impl fmt::Display for UnknownName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown {}: {}", self.what, crate::fmt::Quoted(&self.found))
    }
}

impl std::error::Error for UnknownName {}

macro_rules! named_numbers {
    ($(#[$outer:meta])* $name:ident, $what:literal {
        $($(#[$doc:meta])* $variant:ident = $number:literal, $text:literal;)*
    }) => {
        $(#[$outer])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        #[derive(Serialize, Deserialize, Filterable)]
        #[filterable(rename_all = "kebab-case")]
        pub enum $name { $($(#[$doc])* $variant,)* }

        impl $name {
            /// Returns the number that clients may send instead of the name.
            pub fn number(self) -> u8 {
                match self { $(Self::$variant => $number,)* }
            }

            /// Returns the variant with this number.
            pub fn from_number(number: i64) -> Result<Self, UnknownName> {
                match number {
                    $($number => Ok(Self::$variant),)*
                    _ => Err(UnknownName { what: $what, found: number.to_string().into() }),
                }
            }

            /// Returns the name, as [`FromStr`] parses it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownName;

            fn from_str(text: &str) -> Result<Self, UnknownName> {
                match text {
                    $($text => Ok(Self::$variant),)*
                    _ => Err(UnknownName { what: $what, found: text.into() }),
                }
            }
        }
    };
}

named_numbers! {
    /// The use that an allocation makes of a volume.
    ClaimMode, "claim mode" {
        /// Reads it.
        #[default]
        Read = 0, "read";
        /// Reads and writes it.
        Write = 1, "write";
        /// Releases it.
        Gc = 2, "gc";
    }
}

named_numbers! {
    /// The progress of a claim, from taken to released.
    ClaimState, "claim state" {
        /// The claim is held.
        #[default]
        Taken = 0, "taken";
        /// The volume is detached from the node.
        NodeDetached = 1, "node-detached";
        /// The provider has detached the volume from the node.
        ControllerDetached = 2, "controller-detached";
        /// The volume is no longer in use: the claim's row is deleted.
        ReadyToFree = 3, "ready-to-free";
        /// The release has begun, and no step of it is done.
        Unpublishing = 4, "unpublishing";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_select_the_same_variant() {
        for number in 0..5 {
            let state = ClaimState::from_number(number).unwrap();
            assert_eq!(i64::from(state.number()), number);
            assert_eq!(state.as_str().parse(), Ok(state));
        }
        assert_eq!("gc".parse(), Ok(ClaimMode::Gc));
        assert_eq!(ClaimMode::from_number(1), Ok(ClaimMode::Write));
    }

    #[test]
    fn unknown_names_are_quoted_in_the_error() {
        let error = "stolen".parse::<ClaimState>().unwrap_err();
        assert_eq!(error.to_string(), "unknown claim state: \"stolen\"");
        assert_eq!(
            ClaimMode::from_number(-1).unwrap_err().to_string(),
            "unknown claim mode: \"-1\""
        );
    }
}
