//! The rules of the field, as types and pure functions: no I/O, no clock, no randomness of its own.

pub mod address;
pub mod clock;
pub mod credential;
pub mod delivery;
pub mod entropy;
pub mod envelope;
pub mod event;
pub mod explanation;
pub mod filter;
pub mod id;
pub mod pace;
pub mod page;
pub mod pattern;
pub mod plugin;
pub mod plugin_limits;
pub mod port;
pub mod problem;
pub mod redact;
pub mod request;
pub mod retry;
pub mod rules;
pub mod schema;
pub mod signature;
pub mod token;
pub mod verdict;
pub mod webhook;
