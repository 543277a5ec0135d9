//! Deliveries: how they move on, and how they are read.

mod log;
mod view;
mod work;

pub use log::{Found, Search};
pub use view::{AttemptView, DeliverySummary, DeliveryView, RequestView, plain_request};
pub(super) use work::{TallyRow, cancel_open, cancel_waiting, hold_open, tally};
