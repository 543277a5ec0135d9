//! Deliveries: how they move on, and how they are read.

mod log;
mod view;
mod work;

pub use log::{Found, Search};
pub(super) use view::plain_request;
pub use view::{AttemptView, DeliverySummary, DeliveryView, RequestView};
pub(super) use work::{TallyRow, cancel_open, cancel_waiting, hold_open, tally};
