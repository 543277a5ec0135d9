//! Hookwright: a webhook server that signs and delivers events and can first pass each through a small sandboxed WASM
//! plugin that reshapes it into what any HTTP API expects. `docs/ARCHITECTURE.md` is the way in.
//!
//! Floors, from the top; a room imports only from floors below its own:
//! `cli` → `app` → `ui`, `api`, `schedule` → `ingest`, `deliver`, `plugins`, `jobs` → `sandbox`, `store` → `domain`, `config`, `lifecycle`, `telemetry`.

pub mod api;
pub mod app;
pub mod cli;
pub mod config;
pub mod deliver;
pub mod domain;
pub mod ingest;
pub mod jobs;
pub mod lifecycle;
pub mod plugins;
pub mod sandbox;
pub mod schedule;
pub mod store;
pub mod telemetry;
pub mod ui;
