//! Demands of volume types that operations check: size limits, availability zones, encryption.
//!
//! The server matches the other extra specs against its back ends.

use std::collections::BTreeSet;

use crate::{
    config::Config,
    errors::{Error, VolumeRefusal},
    python,
    rows::VolumeType,
};

/// The extra spec with the minimum size of a volume, in GiB. Cinder:
/// `cinder/volume/volume_types.py`, `MIN_SIZE_KEY`.
const SIZE_MIN: &str = "provisioning:min_vol_size";

/// The extra spec with the maximum size of a volume, in GiB. Cinder:
/// `cinder/volume/volume_types.py`, `MAX_SIZE_KEY`.
const SIZE_MAX: &str = "provisioning:max_vol_size";

/// The extra spec with the availability zones of volumes, separated by commas.
const ZONES: &str = "RESKEY:availability_zones";

/// Checks a size in GiB against the limits of a type.
///
/// A limit that is not a number limits nothing, because the operations that set extra specs accept
/// any string.
///
/// [`Error::Input`] with the limit.
/// [`Error::Input`] that states the limit.
// Cinder: cinder/volume/volume_types.py, provision_filter_on_size, which has these messages.
pub(super) fn check_size(volume_type: &VolumeType, size: u32) -> Result<(), Error> {
    let limit = |key: &str| {
        let text = volume_type.extra_specs.get(key)?;
        Some((text, text.trim().parse::<i64>().ok()?))
    };
    let (name, gib) = (&volume_type.name, i64::from(size));
    if let Some((text, _)) = limit(SIZE_MIN).filter(|(_, min)| gib < *min) {
        return Err(Error::input(format!(
            "Specified volume size of '{size}' is less than the minimum required size of '{text}' \
             for volume type '{name}'."
        )));
    }
    if let Some((text, _)) = limit(SIZE_MAX).filter(|(_, max)| gib > *max) {
        return Err(Error::input(format!(
            "Specified volume size of '{size}' is greater than the maximum allowable size of \
             '{text}' for volume type '{name}'."
        )));
    }
    Ok(())
}

/// Rejects a type whose volumes are encrypted.
///
/// There is no key manager, so a volume of such a type would be plain data that claims protection.
///
/// # Errors
/// [`VolumeRefusal::NoKeyManager`].
pub(super) fn check_unencrypted(volume_type: &VolumeType) -> Result<(), VolumeRefusal> {
    match &volume_type.encryption {
        Some(_) => Err(VolumeRefusal::NoKeyManager { volume_type: volume_type.id }),
        None => Ok(()),
    }
}

/// Returns the zone of a new volume: the zone `named` in the request, the zone of its `origin`, or
/// the one that the type allows; empty if the type allows several, among which the back end
/// decides.
///
/// # Errors
/// [`Error::Request`] if the cloud has none of the type's zones, or the zone is not among them.
// Cinder: cinder/volume/flows/api/create_volume.py, _extract_availability_zones, EntryCreateTask.
pub(super) fn resolve_zone(
    config: &Config,
    volume_type: &VolumeType,
    named: Option<&str>,
    origin: Option<&str>,
) -> Result<Box<str>, Error> {
    let invalid = |zone: &str| Error::request(format!("Availability zone '{zone}' is invalid."));
    let Some(text) = volume_type.extra_specs.get(ZONES) else {
        return match named {
            Some(zone) if config.zones.contains(zone) => Ok(zone.into()),
            Some(zone) => Err(invalid(zone)),
            // Unchecked: a copy stays beside its origin, even if an operator has renamed the zone
            // since.
            None => Ok(origin.unwrap_or(&config.default_zone).into()),
        };
    };
    let of_type: Vec<&str> =
        text.split(',').map(str::trim).filter(|zone| !zone.is_empty()).collect();
    let usable: BTreeSet<&str> =
        of_type.iter().copied().filter(|zone| config.zones.contains(*zone)).collect();
    let Some(first) = usable.first() else {
        let quoted: Vec<_> = of_type.iter().map(|zone| python::quoted(zone)).collect();
        return Err(Error::request(format!(
            "Volume type is only supported in these availability zones: [{}]",
            quoted.join(", ")
        )));
    };
    match named.or(origin) {
        Some(zone) if usable.contains(zone) => Ok(zone.into()),
        Some(zone) => Err(invalid(zone)),
        // The default zone of the cloud does not count here.
        None if usable.len() == 1 => Ok((*first).into()),
        None => Ok("".into()),
    }
}
