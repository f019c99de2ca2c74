//! Creates volumes at their provider, and validates volumes there before they are registered.
//!
//! [`create_with_provider`] and [`register_with_provider`] call the providers on a view, outside of
//! any transaction; [`record_volumes`] repeats all checks and writes the results.
//!
//! Nomad: `nomad/csi_endpoint.go`, `CSIVolume.Create` and `Register`.

use std::fmt;

use statehold_store::{ReadView, WriteTxn};

use super::register::{
    ProviderResult, RegisterError, build_row, check_plugin, with_namespace, write_volumes,
};
use crate::{
    controller::{ControllerError, ControllerOperation, any_controller, call_controller},
    fmt::{MultiError, Quoted},
    provider::{
        CreateVolume, CsiProvider, ExpandVolume, ProviderError, ProviderErrorKind, Providers,
        ValidateVolume, VolumeSource,
    },
    rows::{CsiVolume, CsiVolumes, Namespaces, VolumeKey},
    update::{CapacityError, UpdateError},
    volume_spec::VolumeSpec,
};

/// Maximum length of an external ID from a provider, in bytes. The CSI specification allows 128,
/// which the path-like IDs of cloud providers exceed.
const EXTERNAL_ID_MAX: usize = 1024;

/// Why one of several volumes could not be created.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CreateError {
    /// It has no name, which providers require.
    MissingName,
    /// The provider returned a volume that it had created under the same name for another row.
    NameTaken {
        /// The name.
        name: Box<str>,
    },
    /// A known volume cannot be updated as requested.
    Update(UpdateError),
    /// The provider failed or cannot be reached.
    Controller(ControllerError),
}

impl fmt::Display for CreateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingName => f.write_str("missing Name"),
            Self::NameTaken { name } => write!(
                f,
                "volume name {} is taken: its provider created a volume of that name, which is \
                 registered with another ID or in another namespace",
                Quoted(name)
            ),
            Self::Update(error) => error.fmt(f),
            Self::Controller(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for CreateError {}

/// The results of the providers for the volumes of one request, for [`record_volumes`].
pub struct ProvidedVolumes {
    volumes: Vec<(VolumeSpec, ProviderResult)>,
    failures: Vec<CreateError>,
}

/// Prints the volumes' keys. The results are left out, because they may hold secrets.
impl fmt::Debug for ProvidedVolumes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let volumes: Vec<&VolumeSpec> = self.volumes.iter().map(|(spec, _)| spec).collect();
        f.debug_struct("ProvidedVolumes")
            .field("volumes", &volumes)
            .field("failures", &self.failures)
            .finish_non_exhaustive()
    }
}

impl ProvidedVolumes {
    /// Fails if a volume failed. The created volumes MUST be recorded all the same, or no row would
    /// refer to them; then this error is the response to the request.
    pub fn failures(&self) -> Result<(), MultiError<CreateError>> {
        MultiError::check(self.failures.clone())
    }
}

/// Creates volumes at their providers, and expands known ones. May block as long as the providers
/// do.
///
/// No provider is called before all volumes are validated. Then every volume is tried: see
/// [`ProvidedVolumes::failures`]. `namespace` is that of the request, for volumes that name none.
pub fn create_with_provider(
    view: &impl ReadView,
    providers: &Providers,
    namespace: &str,
    volumes: Vec<VolumeSpec>,
) -> Result<ProvidedVolumes, RegisterError> {
    if volumes.is_empty() {
        return Err(RegisterError::MissingDefinition);
    }
    let mut specs = Vec::with_capacity(volumes.len());
    for spec in volumes {
        let spec = with_namespace(spec, namespace);
        let plugin = check_plugin(view, &spec)?;
        // Nomad: nomad/csi_endpoint.go, CSIVolume.Create.
        if !plugin.controller_required {
            return Err(RegisterError::NoController);
        }
        if !any_controller(view, &plugin.id, |controller| controller.supports_create_delete) {
            return Err(RegisterError::CreateUnsupported);
        }
        if view.get::<Namespaces>(&spec.namespace).is_none() {
            let (volume, namespace) = (spec.id, spec.namespace);
            return Err(RegisterError::NoNamespace { volume, namespace });
        }
        specs.push(spec);
    }
    let mut provided = ProvidedVolumes { volumes: Vec::new(), failures: Vec::new() };
    for spec in specs {
        // A failure of one volume does not stop the others: their data may exist already.
        let answer = match view.get::<CsiVolumes>((&spec.namespace, &spec.id)) {
            Some(known) => check_data(providers, known)
                .and_then(|()| expand(view, providers, known, &spec).map_err(CreateError::Update)),
            None => create(providers, &spec).and_then(|made| {
                if belongs_to_another(view, &provided.volumes, &spec, &made) {
                    Err(CreateError::NameTaken { name: spec.name.clone() })
                } else {
                    Ok(made)
                }
            }),
        };
        match answer {
            Ok(answer) => provided.volumes.push((spec, answer)),
            Err(error) => provided.failures.push(error),
        }
    }
    Ok(provided)
}

/// Fails if the provider has lost the data of a known volume: a success would return the ID of a
/// volume without data.
fn check_data(providers: &Providers, known: &CsiVolume) -> Result<(), CreateError> {
    if providers.get(&known.plugin_id).is_none() {
        return Ok(());
    }
    match validate(providers, known) {
        Err(error) if error.error().kind() == ProviderErrorKind::NotFound => {
            Err(CreateError::Controller(error))
        }
        // Repeating a creation does not depend on the volume's current capabilities.
        _ => Ok(()),
    }
}

fn create(providers: &Providers, spec: &VolumeSpec) -> Result<ProviderResult, CreateError> {
    if spec.name.is_empty() {
        return Err(CreateError::MissingName);
    }
    // Validation ensured that at most one source is set.
    let source = if !spec.clone_id.is_empty() {
        Some(VolumeSource::Volume(&spec.clone_id))
    } else if !spec.snapshot_id.is_empty() {
        Some(VolumeSource::Snapshot(&spec.snapshot_id))
    } else {
        None
    };
    let request = CreateVolume {
        name: &spec.name,
        capacity_min: spec.requested_capacity_min,
        capacity_max: spec.requested_capacity_max,
        capabilities: &spec.requested_capabilities,
        source,
        topologies: spec.requested_topologies.as_ref(),
        parameters: &spec.parameters,
        secrets: &spec.secrets,
    };
    let create = ControllerOperation::Create;
    call_controller(providers, &spec.plugin_id, create, |provider| {
        let made = provider.create_volume(&request)?;
        check_result(&made.external_id, made.capacity)?;
        Ok(made)
    })
    .map(|made| ProviderResult { created: Some(made), ..ProviderResult::default() })
    .map_err(CreateError::Controller)
}

/// Fails if a provider's result for a volume or a snapshot cannot be stored in a row.
pub(super) fn check_result(external_id: &str, bytes: i64) -> Result<(), ProviderError> {
    let problem = if external_id.is_empty() {
        "an empty ID".to_owned()
    } else if external_id.len() > EXTERNAL_ID_MAX {
        format!("an ID of more than {EXTERNAL_ID_MAX} bytes")
    } else if bytes < 0 {
        format!("a size of {bytes} bytes")
    } else {
        return Ok(());
    };
    let text = format!("the provider returned {problem}");
    Err(ProviderError::new(ProviderErrorKind::Internal, text))
}

/// Returns whether the provider's result is a volume that it created for another row. Providers
/// return the existing volume for a known name: two rows would share its data, and deleting one
/// would delete the data of both.
fn belongs_to_another(
    view: &impl ReadView,
    earlier: &[(VolumeSpec, ProviderResult)],
    spec: &VolumeSpec,
    answer: &ProviderResult,
) -> bool {
    let Some(made) = answer.created.as_ref() else { return false };
    let mut rows = CsiVolumes::with_data(view, &spec.plugin_id, &made.external_id);
    let same = |namespace: &str, id: &str| *namespace == *spec.namespace && *id == *spec.id;
    rows.any(|row| !same(&row.namespace, &row.id))
        || earlier.iter().any(|(other, answer)| {
            let of_it =
                answer.created.as_ref().is_some_and(|it| it.external_id == made.external_id);
            of_it && other.plugin_id == spec.plugin_id && !same(&other.namespace, &other.id)
        })
}

/// Expands a known volume if the request requires it.
fn expand(
    view: &impl ReadView,
    providers: &Providers,
    known: &CsiVolume,
    spec: &VolumeSpec,
) -> Result<ProviderResult, UpdateError> {
    let answer = ProviderResult::default();
    // A dry run of the update: it fails with `NoController` exactly if the provider must expand the
    // volume.
    let row = build_row(view, 0, spec.clone(), None, &answer);
    let Err(RegisterError::Update(needed)) = row else { return Ok(answer) };
    if needed != UpdateError::Capacity(CapacityError::NoController)
        || providers.get(&spec.plugin_id).is_none()
    {
        return Err(needed);
    }
    let request = ExpandVolume {
        external_id: known.remote_id(),
        capacity_min: spec.requested_capacity_min,
        capacity_max: spec.requested_capacity_max,
        secrets: &spec.secrets,
    };
    let expand = ControllerOperation::Expand;
    let larger = |provider: &dyn CsiProvider| {
        let larger = provider.expand_volume(&request)?;
        check_result(known.remote_id(), larger.capacity)?;
        Ok(larger)
    };
    call_controller(providers, &spec.plugin_id, expand, larger)
        .map(|larger| ProviderResult {
            capacity: Some(larger.capacity),
            ..ProviderResult::default()
        })
        .map_err(|error| UpdateError::Capacity(CapacityError::Expand(error)))
}

/// Validates volumes at their providers before they are registered, and expands known ones. May
/// block as long as the providers do.
///
/// Providers that cannot be reached are skipped. `namespace` is that of the request, for volumes
/// that name none.
pub fn register_with_provider(
    view: &impl ReadView,
    providers: &Providers,
    namespace: &str,
    volumes: Vec<VolumeSpec>,
) -> Result<ProvidedVolumes, RegisterError> {
    if volumes.is_empty() {
        return Err(RegisterError::MissingDefinition);
    }
    let mut provided = ProvidedVolumes { volumes: Vec::new(), failures: Vec::new() };
    for spec in volumes {
        let spec = with_namespace(spec, namespace);
        let plugin = check_plugin(view, &spec)?;
        let answer = match view.get::<CsiVolumes>((&spec.namespace, &spec.id)) {
            Some(known) => expand(view, providers, known, &spec).map_err(RegisterError::Update)?,
            None => ProviderResult::default(),
        };
        if plugin.controller_required && providers.get(&plugin.id).is_some() {
            let row = build_row(view, 0, spec.clone(), None, &answer)?;
            validate(providers, &row).map_err(RegisterError::Controller)?;
        }
        provided.volumes.push((spec, answer));
    }
    Ok(provided)
}

fn validate(providers: &Providers, volume: &CsiVolume) -> Result<(), ControllerError> {
    let request = ValidateVolume {
        external_id: volume.remote_id(),
        capabilities: &volume.requested_capabilities,
        parameters: &volume.parameters,
        context: &volume.context,
        secrets: &volume.secrets,
    };
    let validate = ControllerOperation::Validate;
    call_controller(providers, &volume.plugin_id, validate, |provider| {
        provider.validate_volume(&request)
    })
}

/// Records the results of [`create_with_provider`] or [`register_with_provider`], like
/// [`register`](super::register()).
pub fn record_volumes(
    txn: &mut WriteTxn<'_>,
    now: i64,
    provided: &ProvidedVolumes,
) -> Result<Vec<VolumeKey>, RegisterError> {
    write_volumes(txn, now, provided.volumes.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unstorable_results_are_failures_of_the_provider() {
        check_result("vol-1", 0).unwrap();
        let long = "v".repeat(EXTERNAL_ID_MAX + 1);
        for (id, bytes, problem) in [("", 1, "empty"), (&long, 1, "1024"), ("v", -5, "-5 bytes")] {
            let error = check_result(id, bytes).unwrap_err();
            assert_eq!(error.kind(), ProviderErrorKind::Internal);
            assert!(error.to_string().contains(problem), "{error}");
        }
    }
}
