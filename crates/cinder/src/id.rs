//! IDs: UUIDs in every form that clients send.

use uuid::Uuid;

/// Parses a UUID: 32 hexadecimal digits in any case, with hyphens anywhere, optionally in braces or
/// after `urn:uuid:`.
///
/// ```
/// use statehold_cinder::parse_id;
/// let id = parse_id("30e6632e-3432-4cd1-84a1-a9905457833e");
/// assert!(id.is_some());
/// assert_eq!(parse_id("{30E6632E34324CD184A1A9905457833E}"), id);
/// assert_eq!(parse_id("zzz"), None);
/// ```
pub fn parse_id(text: &str) -> Option<Uuid> {
    let text = text.strip_prefix("urn:").unwrap_or(text);
    let text = text.strip_prefix("uuid:").unwrap_or(text);
    let text = text.trim_matches(['{', '}']);
    let (mut value, mut digits) = (0_u128, 0);
    for c in text.chars().filter(|&c| c != '-') {
        digits += 1;
        if digits > 32 {
            return None;
        }
        value = value << 4 | u128::from(c.to_digit(16)?);
    }
    (digits == 32).then(|| Uuid::from_u128(value))
}
