//! Events: the list, one of them, sending one by hand, and triggering webhooks with one.

pub(super) mod act;
pub(super) mod detail;
pub(super) mod list;
pub(super) mod send;
