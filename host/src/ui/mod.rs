//! The web UI: pages rendered here, one file for each. It is a client of the HTTP API in the same process and knows nothing
//! that the API does not tell, so what a person may do, what is checked and what is audited stands in one place.

mod account;
mod around;
mod assets;
mod audit;
mod backtests;
mod changes;
mod chart;
mod client;
mod deliveries;
mod delivery;
mod errors;
mod event_types;
mod events;
mod field;
mod flash;
mod form;
mod form_page;
mod jobs;
mod live;
mod overview;
mod page;
mod parts;
mod permissions;
mod plugins;
mod posted;
mod project;
mod projects;
mod query;
mod refusal;
mod roles;
mod router;
mod schedules;
mod schema_form;
mod settings;
mod setup;
mod sign_in;
mod ticks;
mod time;
mod tokens;
mod users;
mod viewer;
mod webhooks;

pub use router::{Ui, router};
