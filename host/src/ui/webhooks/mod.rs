//! Webhooks: the list, one of them, its form, and what people do with it.

pub(super) mod act;
mod ask;
mod catalogue;
pub(super) mod detail;
mod draft;
mod fields;
pub(super) mod form;
pub(super) mod list;
mod registered;
mod retries;
pub(super) mod switch;
