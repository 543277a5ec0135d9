//! The whole server from outside: one binary, one module for each topic.

mod admission;
mod api;
mod bench;
mod durability;
mod failover;
mod fan_out;
mod filters;
mod flow;
mod hostile;
mod ingest;
mod kills;
mod load;
mod misbehaviour;
mod network;
mod nodes;
mod outages;
mod pace;
mod partitions;
mod plugins;
mod readme;
mod receiver;
mod refusals;
mod retries;
mod sandbox;
mod secrets;
mod tls;
