//! What happened to the host within an interval.

use serde::Serialize;

use super::time;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HostEvent {
    /// When it was seen, at most about a second after it happened; RFC 3339 in JSON.
    #[serde(serialize_with = "time::rfc3339")]
    pub time: u64,
    /// "link", "setting", "kernel" (its log), or "recorder".
    pub kind: &'static str,
    pub device: Option<String>,
    /// One sentence.
    pub text: String,
}
