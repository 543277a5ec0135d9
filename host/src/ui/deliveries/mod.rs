//! Deliveries: the log, one of them, and what people do with them.

pub(super) mod act;
pub(super) mod detail;
mod difference;
pub(super) mod list;
pub(super) mod many;
