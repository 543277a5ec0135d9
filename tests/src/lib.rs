//! What the end-to-end tests are made of: the real server as a child process, a client for its API, and
//! receivers that answer by script.

pub mod api;
pub mod bench;
pub mod browser;
pub mod catalogue;
pub mod cluster;
pub mod company;
pub mod crowd;
pub mod eventually;
pub mod example;
pub mod guest;
pub mod pictures;
pub mod receiver;
pub mod server;
pub mod site;
pub mod soak;
pub mod stage;
pub mod visitor;
