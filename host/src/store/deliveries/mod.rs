//! Deliveries: how they move on, and how they are read.

mod view;
mod work;

pub use view::{AttemptView, DeliveryFilter, DeliverySummary, DeliveryView, RequestView};
pub(super) use work::{cancel_open, finish, freeze, hold_open, postpone, settle};
