//! What is read in a peer's description.

use crate::transport::peer::LaneError;
use crate::wire::block::{HEADER_BYTES, PAYLOAD_BYTES};
use crate::wire::lanes::NUMBER_BYTES;
use crate::wire::peer::Hash;

/// Refuses a peer that would not take our blocks (RFC 8841 §6.1; 64 KiB when it does not say), and
/// candidates in the description, which nobody would count: they are trickled.
pub(super) fn check_description(sdp: &str) -> Result<(), LaneError> {
    if sdp.contains("a=candidate") {
        return Err(LaneError::BadDescription);
    }
    let size = sdp.lines().find_map(|line| line.trim_end().strip_prefix("a=max-message-size:"));
    match size.and_then(|it| it.parse::<u64>().ok()).unwrap_or(64 * 1024) {
        0 => Ok(()), // No limit.
        size if size >= (NUMBER_BYTES + HEADER_BYTES + PAYLOAD_BYTES) as u64 => Ok(()),
        _ => Err(LaneError::BadDescription),
    }
}

/// The SHA-256 fingerprint in a description (RFC 8122 §5).
pub(super) fn fingerprint_of(sdp: &str) -> Option<Hash> {
    let hex = sdp.lines().find_map(|line| line.trim_end().strip_prefix("a=fingerprint:sha-256 "))?;
    let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(hex.replace(':', "").as_bytes()).ok()?;
    bytes.try_into().ok()
}
