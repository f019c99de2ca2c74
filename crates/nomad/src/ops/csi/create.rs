//! Making volumes at their provider, and asking it before known ones are registered.
//!
//! [`create_with_provider`] and [`register_with_provider`] ask the providers on a view, outside of any transaction;
//! [`record_volumes`] writes what they answered, after all checks again.

use std::fmt;

use statehold_store::{ReadView, WriteTxn};

use super::register::{Answer, RegisterError, check_plugin, prepare, put, with_namespace};
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

/// The longest ID that a provider may answer, in bytes. The CSI specification allows 128, which the IDs of
/// cloud providers with paths in them exceed.
const EXTERNAL_ID_MAX: usize = 1024;

/// Why one of several volumes couldn't be made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CreateError {
    /// Providers need a name.
    MissingName,
    /// The provider made a volume of that name already, for somebody else.
    NameTaken {
        /// The name.
        name: Box<str>,
    },
    /// A known volume can't become what was sent.
    Update(UpdateError),
    /// The provider failed, or can't be asked.
    Controller(ControllerError),
}

impl fmt::Display for CreateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingName => f.write_str("missing Name"),
            Self::NameTaken { name } => write!(
                f,
                "volume name {} is taken: its provider made a volume of that name, which is \
                 registered with another ID or in another namespace",
                Quoted(name)
            ),
            Self::Update(error) => error.fmt(f),
            Self::Controller(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for CreateError {}

/// What providers answered about the volumes of one request, for [`record_volumes`].
pub struct ProvidedVolumes {
    volumes: Vec<(VolumeSpec, Answer)>,
    faults: Vec<CreateError>,
}

/// Names the volumes. What providers answered may be secret, and is left out.
impl fmt::Debug for ProvidedVolumes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let volumes: Vec<&VolumeSpec> = self.volumes.iter().map(|(spec, _)| spec).collect();
        f.debug_struct("ProvidedVolumes")
            .field("volumes", &volumes)
            .field("faults", &self.faults)
            .finish_non_exhaustive()
    }
}

impl ProvidedVolumes {
    /// What failed. The volumes that were made are to be recorded all the same, or nobody would
    /// know of them; then this is the answer to the request.
    pub fn faults(&self) -> Result<(), MultiError<CreateError>> {
        MultiError::check(self.faults.clone())
    }
}

/// Has volumes made by their providers, and known ones made larger. May block, for as long as the
/// providers do.
///
/// Nothing is asked before all volumes were checked. All are tried then: see
/// [`ProvidedVolumes::faults`]. `namespace` is that of the request, for volumes that name none.
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
    let mut asked = ProvidedVolumes { volumes: Vec::new(), faults: Vec::new() };
    for spec in specs {
        let answer = match view.get::<CsiVolumes>((&spec.namespace, &spec.id)) {
            Some(known) => check_data(providers, known)
                .and_then(|()| expand(view, providers, known, &spec).map_err(CreateError::Update)),
            None => create(providers, &spec).and_then(|made| {
                if is_of_another(view, &asked.volumes, &spec, &made) {
                    Err(CreateError::NameTaken { name: spec.name.clone() })
                } else {
                    Ok(made)
                }
            }),
        };
        match answer {
            Ok(answer) => asked.volumes.push((spec, answer)),
            Err(fault) => asked.faults.push(fault),
        }
    }
    Ok(asked)
}

/// Refuses a known volume whose provider has lost its data: a success would return the ID of nothing.
fn check_data(providers: &Providers, known: &CsiVolume) -> Result<(), CreateError> {
    if providers.get(&known.plugin_id).is_none() {
        return Ok(());
    }
    match validate(providers, known) {
        Err(error) if error.error().kind() == ProviderErrorKind::NotFound => {
            Err(CreateError::Controller(error))
        }
        // Creating a volume again does not depend on whether it can be used as asked.
        _ => Ok(()),
    }
}

fn create(providers: &Providers, spec: &VolumeSpec) -> Result<Answer, CreateError> {
    if spec.name.is_empty() {
        return Err(CreateError::MissingName);
    }
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
        check_answer(&made.external_id, made.capacity)?;
        Ok(made)
    })
    .map(|made| Answer { created: Some(made), ..Answer::default() })
    .map_err(CreateError::Controller)
}

/// Checks a provider's answer about a volume or a snapshot: rows keep it, and later requests name it.
pub(super) fn check_answer(external_id: &str, bytes: i64) -> Result<(), ProviderError> {
    let problem = if external_id.is_empty() {
        "an empty ID".to_owned()
    } else if external_id.len() > EXTERNAL_ID_MAX {
        format!("an ID of more than {EXTERNAL_ID_MAX} bytes")
    } else if bytes < 0 {
        format!("a size of {bytes} bytes")
    } else {
        return Ok(());
    };
    let text = format!("the provider answered {problem}");
    Err(ProviderError::new(ProviderErrorKind::Internal, text))
}

/// Whether what the provider answered is a volume that it made for another one. A name that it has
/// seen is to it the same volume, whoever asks: then two would share their data, and deleting one
/// would delete the other's.
fn is_of_another(
    view: &impl ReadView,
    earlier: &[(VolumeSpec, Answer)],
    spec: &VolumeSpec,
    answer: &Answer,
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

/// Has a known volume made larger, if that is what `spec` takes.
fn expand(
    view: &impl ReadView,
    providers: &Providers,
    known: &CsiVolume,
    spec: &VolumeSpec,
) -> Result<Answer, UpdateError> {
    let answer = Answer::default();
    let row = prepare(view, 0, spec.clone(), None, &answer);
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
        check_answer(known.remote_id(), larger.capacity)?;
        Ok(larger)
    };
    call_controller(providers, &spec.plugin_id, expand, larger)
        .map(|larger| Answer { capacity: Some(larger.capacity), ..Answer::default() })
        .map_err(|error| UpdateError::Capacity(CapacityError::Expand(error)))
}

/// Has volumes checked by their providers before they are registered, and known ones made larger.
/// May block, for as long as the providers do.
///
/// Only providers that can be reached are asked for a check. `namespace` is that of the request,
/// for volumes that name none.
pub fn register_with_provider(
    view: &impl ReadView,
    providers: &Providers,
    namespace: &str,
    volumes: Vec<VolumeSpec>,
) -> Result<ProvidedVolumes, RegisterError> {
    if volumes.is_empty() {
        return Err(RegisterError::MissingDefinition);
    }
    let mut asked = ProvidedVolumes { volumes: Vec::new(), faults: Vec::new() };
    for spec in volumes {
        let spec = with_namespace(spec, namespace);
        let plugin = check_plugin(view, &spec)?;
        let answer = match view.get::<CsiVolumes>((&spec.namespace, &spec.id)) {
            Some(known) => expand(view, providers, known, &spec).map_err(RegisterError::Update)?,
            None => Answer::default(),
        };
        if plugin.controller_required && providers.get(&plugin.id).is_some() {
            let row = prepare(view, 0, spec.clone(), None, &answer)?;
            validate(providers, &row).map_err(RegisterError::Controller)?;
        }
        asked.volumes.push((spec, answer));
    }
    Ok(asked)
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

/// Records what [`create_with_provider`] or [`register_with_provider`] brought, as
/// [`register`](super::register()) does.
pub fn record_volumes(
    txn: &mut WriteTxn<'_>,
    now: i64,
    asked: &ProvidedVolumes,
) -> Result<Vec<VolumeKey>, RegisterError> {
    put(txn, now, asked.volumes.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_that_no_row_can_keep_are_the_providers_failure() {
        check_answer("vol-1", 0).unwrap();
        let long = "v".repeat(EXTERNAL_ID_MAX + 1);
        for (id, bytes, problem) in [("", 1, "empty"), (&long, 1, "1024"), ("v", -5, "-5 bytes")] {
            let error = check_answer(id, bytes).unwrap_err();
            assert_eq!(error.kind(), ProviderErrorKind::Internal);
            assert!(error.to_string().contains(problem), "{error}");
        }
    }
}
