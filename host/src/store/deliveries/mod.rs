//! Deliveries: how they move on, and how they are read.

mod view;
mod work;

pub use view::{AttemptView, DeliveryFilter, DeliverySummary, DeliveryView, RequestView};
pub(super) use work::{TallyRow, cancel_open, cancel_waiting, hold_open, tally};
