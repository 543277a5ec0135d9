//! The log: on stderr, as text or JSON. And what is counted.

pub mod metrics;
pub mod request_id;

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format;

use self::request_id::{Form, WithRequestId};

/// Starts the log. `RUST_LOG` chooses what is logged; without a terminal lines are JSON.
pub fn start() {
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new("info,sqlx=warn,hyper=warn,wasmtime=warn,cranelift=warn"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = if std::io::stderr().is_terminal() {
        builder.event_format(WithRequestId(Form::Text, format())).try_init()
    } else {
        builder
            .fmt_fields(format::JsonFields::new())
            .event_format(WithRequestId(Form::Json, format().json()))
            .try_init()
    };
    if let Err(error) = started {
        eprintln!("the log cannot be started: {error}");
    }
}
