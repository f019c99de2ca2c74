//! A storage provider in memory, which records its calls and fails on request.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
};

use statehold_nomad::{ControllerInfo, Labels, Secrets, Topology, provider::*};

/// The provider's state, shared by its clones.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disks(Arc<Mutex<State>>);

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) volumes: BTreeMap<String, Disk>,
    pub(crate) snapshots: BTreeMap<String, Snapshot>,
    /// Pages contain every entry, ignoring the requested maximum.
    pub(crate) greedy: bool,
    /// Every request fails with this kind.
    pub(crate) failure: Option<ProviderErrorKind>,
    /// The names of the secrets of the last request.
    pub(crate) secrets: Vec<String>,
    pub(crate) calls: Vec<&'static str>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Disk {
    pub(crate) name: String,
    pub(crate) capacity: i64,
    pub(crate) attached: BTreeSet<String>,
}

impl Disks {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub(crate) fn providers(&self, plugin: &str) -> Providers {
        let mut providers = Providers::default();
        providers.insert(plugin, Arc::new(self.clone()));
        providers
    }

    pub(crate) fn fail(&self, failure: Option<ProviderErrorKind>) {
        self.state().failure = failure;
    }

    pub(crate) fn calls(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.state().calls)
    }

    fn called(
        &self,
        call: &'static str,
        secrets: &Secrets,
    ) -> Result<MutexGuard<'_, State>, ProviderError> {
        let mut state = self.state();
        state.calls.push(call);
        state.secrets = secrets.reveal().map(|(name, value)| format!("{name}={value}")).collect();
        match state.failure {
            Some(kind) => Err(ProviderError::new(kind, "the disks are on fire")),
            None => Ok(state),
        }
    }
}

fn no_volume(id: &str) -> ProviderError {
    ProviderError::new(ProviderErrorKind::NotFound, format!("no disk {id}"))
}

/// Returns at most as many entries as the page requests, from its token on, and the token of the
/// next page.
fn page<T: Clone>(
    greedy: bool,
    all: &BTreeMap<String, T>,
    page: &ProviderPage<'_>,
) -> (Vec<T>, Box<str>) {
    let most = if greedy || page.entries_max == 0 { usize::MAX } else { page.entries_max as usize };
    let mut rest = all.range(page.token.to_owned()..);
    let found = rest.by_ref().take(most).map(|(_, one)| one.clone()).collect();
    (found, rest.next().map(|(id, _)| id.as_str().into()).unwrap_or_default())
}

impl CsiProvider for Disks {
    fn probe(&self) -> Result<ProviderInfo, ProviderError> {
        Ok(ProviderInfo { controller: everything(), ..ProviderInfo::default() })
    }

    fn create_volume(&self, request: &CreateVolume<'_>) -> Result<CreatedVolume, ProviderError> {
        let mut state = self.called("create", request.secrets)?;
        let id = format!("disk-{}", request.name);
        let capacity = request.capacity_min.max(10);
        let disk = Disk { name: request.name.to_owned(), capacity, attached: BTreeSet::new() };
        let disk = state.volumes.entry(id.clone()).or_insert(disk);
        Ok(CreatedVolume {
            external_id: id.as_str().into(),
            capacity: disk.capacity,
            context: [("made-by".into(), "disks".into())].into(),
            topologies: vec![Topology { segments: [("rack".into(), "r1".into())].into() }],
        })
    }

    fn delete_volume(&self, external_id: &str, secrets: &Secrets) -> Result<(), ProviderError> {
        self.called("delete", secrets)?.volumes.remove(external_id);
        Ok(())
    }

    fn validate_volume(&self, request: &ValidateVolume<'_>) -> Result<(), ProviderError> {
        let state = self.called("validate", request.secrets)?;
        let known = state.volumes.contains_key(request.external_id);
        if known { Ok(()) } else { Err(no_volume(request.external_id)) }
    }

    fn expand_volume(&self, request: &ExpandVolume<'_>) -> Result<ExpandedVolume, ProviderError> {
        let mut state = self.called("expand", request.secrets)?;
        let disk = state.volumes.get_mut(request.external_id);
        let disk = disk.ok_or_else(|| no_volume(request.external_id))?;
        disk.capacity = disk.capacity.max(request.capacity_min);
        Ok(ExpandedVolume { capacity: disk.capacity, node_expansion_required: false })
    }

    fn attach_volume(&self, request: &AttachVolume<'_>) -> Result<Labels, ProviderError> {
        let mut state = self.called("attach", request.secrets)?;
        let disk = state.volumes.get_mut(request.external_id);
        let disk = disk.ok_or_else(|| no_volume(request.external_id))?;
        disk.attached.insert(request.external_node_id.to_owned());
        Ok(Labels::new())
    }

    fn detach_volume(&self, request: &DetachVolume<'_>) -> Result<(), ProviderError> {
        let mut state = self.called("detach", request.secrets)?;
        if let Some(disk) = state.volumes.get_mut(request.external_id) {
            disk.attached.remove(request.external_node_id);
        }
        Ok(())
    }

    fn list_volumes(&self, wanted: &ProviderPage<'_>) -> Result<ExternalVolumes, ProviderError> {
        let state = self.called("list", &Secrets::default())?;
        let volumes: BTreeMap<String, ExternalVolume> = (state.volumes.iter())
            .map(|(id, disk)| {
                let volume = ExternalVolume {
                    external_id: id.as_str().into(),
                    capacity: disk.capacity,
                    attached_to: disk.attached.iter().map(|node| node.as_str().into()).collect(),
                    ..ExternalVolume::default()
                };
                (id.clone(), volume)
            })
            .collect();
        let (volumes, next_token) = page(state.greedy, &volumes, wanted);
        Ok(ExternalVolumes { volumes, next_token })
    }

    fn create_snapshot(&self, request: &CreateSnapshot<'_>) -> Result<Snapshot, ProviderError> {
        let mut state = self.called("snapshot", request.secrets)?;
        let disk = state.volumes.get(request.external_id);
        let size = disk.ok_or_else(|| no_volume(request.external_id))?.capacity;
        let snapshot = Snapshot {
            id: format!("snap-{}", request.name).into(),
            external_volume_id: request.external_id.into(),
            size,
            create_time: 7,
            ready: true,
        };
        state.snapshots.insert(snapshot.id.to_string(), snapshot.clone());
        Ok(snapshot)
    }

    fn delete_snapshot(&self, id: &str, secrets: &Secrets) -> Result<(), ProviderError> {
        self.called("delete-snapshot", secrets)?.snapshots.remove(id);
        Ok(())
    }

    fn list_snapshots(
        &self,
        wanted: &ProviderPage<'_>,
        secrets: &Secrets,
    ) -> Result<Snapshots, ProviderError> {
        let state = self.called("list-snapshots", secrets)?;
        let (snapshots, next_token) = page(state.greedy, &state.snapshots, wanted);
        Ok(Snapshots { snapshots, next_token })
    }
}

/// Returns every capability that the fake supports.
pub(crate) fn everything() -> ControllerInfo {
    ControllerInfo {
        supports_create_delete: true,
        supports_attach_detach: true,
        supports_list_volumes: true,
        supports_create_delete_snapshot: true,
        supports_list_snapshots: true,
        supports_expand: true,
        ..ControllerInfo::default()
    }
}
