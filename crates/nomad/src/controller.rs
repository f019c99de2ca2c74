//! Calls to a storage provider's controller, and their errors.

use std::fmt;

use statehold_store::{Entry, KeyRange, Order, ReadView};

use crate::{
    fmt::Quoted,
    health::plugin_instances,
    provider::{CsiProvider, ProviderError, ProviderErrorKind, Providers},
    rows::{ControllerInfo, CsiPlugin, CsiPlugins, PluginRole},
};

/// An operation of a controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ControllerOperation {
    /// Validates that a volume supports the requested capabilities.
    Validate,
    /// Creates a volume.
    Create,
    /// Expands a volume.
    Expand,
    /// Deletes a volume.
    Delete,
    /// Attaches a volume to a node.
    Attach,
    /// Detaches a volume from a node.
    Detach,
    /// Lists volumes.
    List,
    /// Creates a snapshot.
    CreateSnapshot,
    /// Deletes a snapshot.
    DeleteSnapshot,
    /// Lists snapshots.
    ListSnapshots,
}

impl fmt::Display for ControllerOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Validate => "controller validate volume",
            Self::Create => "controller create volume",
            Self::Expand => "controller expand volume",
            Self::Delete => "controller delete volume",
            Self::Attach => "controller attach volume",
            Self::Detach => "controller detach volume",
            Self::List => "controller list volumes",
            Self::CreateSnapshot => "controller create snapshot",
            Self::DeleteSnapshot => "controller delete snapshot",
            Self::ListSnapshots => "controller list snapshots",
        })
    }
}

/// An error of a controller, or of reaching it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControllerError {
    operation: ControllerOperation,
    error: ProviderError,
}

impl ControllerError {
    /// Returns the operation that failed.
    pub fn operation(&self) -> ControllerOperation {
        self.operation
    }

    /// Returns the provider's error.
    pub fn error(&self) -> &ProviderError {
        &self.error
    }
}

impl fmt::Display for ControllerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.operation, self.error)
    }
}

impl std::error::Error for ControllerError {}

/// Calls the controller of a plugin. Fails with [`ProviderErrorKind::Unavailable`] if no provider
/// is registered for the plugin.
pub(crate) fn call_controller<T>(
    providers: &Providers,
    plugin_id: &str,
    operation: ControllerOperation,
    request: impl FnOnce(&dyn CsiProvider) -> Result<T, ProviderError>,
) -> Result<T, ControllerError> {
    // Nomad: nomad/structs/errors.go, ErrNoNodeConn.
    let unreachable = || ProviderError::new(ProviderErrorKind::Unavailable, "No path to node");
    let answer = providers.get(plugin_id).ok_or_else(unreachable).and_then(request);
    answer.map_err(|error| ControllerError { operation, error })
}

/// Returns whether a controller of the plugin has a capability. Cost: reads controllers up to the
/// first that has it.
pub(crate) fn any_controller(
    view: &impl ReadView,
    plugin_id: &str,
    has: impl Fn(&ControllerInfo) -> bool,
) -> bool {
    let controllers = plugin_instances(view, plugin_id, PluginRole::Controller);
    controllers.filter_map(|instance| instance.info.controller.as_ref()).any(has)
}

/// Why a plugin ID or prefix selects no plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PluginLookupError {
    /// No plugin matches.
    NoPlugin,
    /// The prefix matches several IDs.
    Ambiguous {
        /// The requested prefix.
        prefix: Box<str>,
        /// The matching IDs, in order.
        plugins: Vec<Box<str>>,
    },
}

impl fmt::Display for PluginLookupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPlugin => f.write_str("no such plugin"),
            Self::Ambiguous { prefix, plugins } => {
                write!(f, "plugin ID {} is the start of several: ", Quoted(prefix))?;
                for (at, plugin) in plugins.iter().enumerate() {
                    write!(f, "{}{plugin}", if at == 0 { "" } else { ", " })?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for PluginLookupError {}

/// Returns the plugin with that ID, else the only plugin whose ID starts with it.
pub fn find_plugin<'v, V: ReadView>(
    view: &'v V,
    id: &str,
) -> Result<&'v Entry<CsiPlugin>, PluginLookupError> {
    // An ID that is a prefix of another MUST still select its own plugin.
    if let Some(plugin) = view.get::<CsiPlugins>(id) {
        return Ok(plugin);
    }
    let range = KeyRange::<String>::prefix(id);
    let found: Vec<_> = view.scan::<CsiPlugins>(&range, Order::Ascending).collect();
    match found[..] {
        [] => Err(PluginLookupError::NoPlugin),
        [plugin] => Ok(plugin),
        _ => Err(PluginLookupError::Ambiguous {
            prefix: id.into(),
            plugins: found.into_iter().map(|plugin| plugin.id.clone()).collect(),
        }),
    }
}
