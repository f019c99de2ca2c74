//! How a volume is used: access and attachment modes, and the modes and states of a claim.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use statehold_filter::Filterable;

/// Access modes of a volume. A provider decides which of them it supports.
pub mod access_mode {
    /// One node, reading only.
    pub const SINGLE_NODE_READER: &str = "single-node-reader-only";
    /// One node, reading and writing.
    pub const SINGLE_NODE_WRITER: &str = "single-node-writer";
    /// One node, where one allocation writes. Of host volumes only.
    pub const SINGLE_NODE_SINGLE_WRITER: &str = "single-node-single-writer";
    /// One node, where many allocations write. Of host volumes only.
    pub const SINGLE_NODE_MULTI_WRITER: &str = "single-node-multi-writer";
    /// Many nodes, reading only.
    pub const MULTI_NODE_READER: &str = "multi-node-reader-only";
    /// Many nodes read, one writes.
    pub const MULTI_NODE_SINGLE_WRITER: &str = "multi-node-single-writer";
    /// Many nodes read and write.
    pub const MULTI_NODE_MULTI_WRITER: &str = "multi-node-multi-writer";

    /// Whether `mode` lets somebody write.
    pub(crate) fn writes(mode: &str) -> bool {
        matches!(mode, SINGLE_NODE_WRITER | MULTI_NODE_SINGLE_WRITER | MULTI_NODE_MULTI_WRITER)
    }

    /// Whether CSI volumes can be accessed in this way.
    pub(crate) fn is_of_csi(mode: &str) -> bool {
        writes(mode) || matches!(mode, SINGLE_NODE_READER | MULTI_NODE_READER)
    }

    /// Whether host volumes can be accessed in this way.
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

    /// Whether there is such a mode.
    pub(crate) fn is_known(mode: &str) -> bool {
        matches!(mode, FILE_SYSTEM | BLOCK_DEVICE)
    }
}

/// An access mode and an attachment mode that a volume must be usable with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Filterable)]
#[serde(rename_all = "PascalCase")]
#[filterable(rename_all = "PascalCase")]
pub struct Capability {
    /// One of [`attachment_mode`].
    pub attachment_mode: Box<str>,
    /// One of [`access_mode`].
    pub access_mode: Box<str>,
}

/// A text or a number that names no mode or state of a claim.
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
            /// The number that clients may write instead of the name.
            pub fn number(self) -> u8 {
                match self { $(Self::$variant => $number,)* }
            }

            /// The variant with this number.
            pub fn from_number(number: i64) -> Result<Self, UnknownName> {
                match number {
                    $($number => Ok(Self::$variant),)*
                    _ => Err(UnknownName { what: $what, found: number.to_string().into() }),
                }
            }

            /// The name, as [`FromStr`] reads it.
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
    /// What an allocation wants with a volume.
    ClaimMode, "claim mode" {
        /// To read it.
        #[default]
        Read = 0, "read";
        /// To read and write it.
        Write = 1, "write";
        /// To be rid of it.
        Gc = 2, "gc";
    }
}

named_numbers! {
    /// How far a claim has come, from being taken to being gone.
    ClaimState, "claim state" {
        /// Held.
        #[default]
        Taken = 0, "taken";
        /// The node no longer has the volume.
        NodeDetached = 1, "node-detached";
        /// The provider no longer has the volume attached to the node.
        ControllerDetached = 2, "controller-detached";
        /// Nothing holds the volume any more: the claim's records go away.
        ReadyToFree = 3, "ready-to-free";
        /// On its way out, nothing done yet.
        Unpublishing = 4, "unpublishing";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_mean_the_same() {
        for number in 0..5 {
            let state = ClaimState::from_number(number).unwrap();
            assert_eq!(i64::from(state.number()), number);
            assert_eq!(state.as_str().parse(), Ok(state));
        }
        assert_eq!("gc".parse(), Ok(ClaimMode::Gc));
        assert_eq!(ClaimMode::from_number(1), Ok(ClaimMode::Write));
    }

    #[test]
    fn unknown_names_are_named() {
        let error = "stolen".parse::<ClaimState>().unwrap_err();
        assert_eq!(error.to_string(), "unknown claim state: \"stolen\"");
        assert_eq!(
            ClaimMode::from_number(-1).unwrap_err().to_string(),
            "unknown claim mode: \"-1\""
        );
    }
}
