//! Version 1 of the contract: how our values become the plugin's, and the plugin's ours.

use wasmtime::component::{HasSelf, Linker};
use wasmtime::{Engine, Store, UpdateDeadline};

use super::code::Code;
use super::limits::{Budget, RunLimits, Usage};
use super::{Input, LogLine, Ran, Transformed, Used};
use crate::domain::credential::{Credential, Part, Placement};
use crate::domain::event::Field;
use crate::domain::plugin::PluginFailure;
use crate::domain::request::{Body, PluginRequest};

#[allow(clippy::pedantic, reason = "generated from the contract")]
mod bindings {
    wasmtime::component::bindgen!({ path: "../wit/v1", world: "plugin" });
}

use bindings::hookwright::plugin::logging::{Host as Logging, Level};
use bindings::hookwright::plugin::types;
use bindings::{Plugin, PluginPre};

/// What a running plugin can reach.
struct State {
    usage: Usage,
    limits: RunLimits,
    logs: Vec<LogLine>,
    log_bytes: usize,
    logs_dropped: u32,
}

impl types::Host for State {}

impl Logging for State {
    fn log(&mut self, level: Level, message: String) {
        let room = self.limits.log_bytes - self.log_bytes;
        if self.logs.len() >= self.limits.log_lines || room == 0 {
            self.logs_dropped = self.logs_dropped.saturating_add(1);
            return;
        }
        let mut message = message;
        let max = self.limits.log_line_bytes.min(room);
        if message.len() > max {
            let end = (0..=max).rev().find(|end| message.is_char_boundary(*end)).unwrap_or(0);
            message.truncate(end);
        }
        self.log_bytes += message.len();
        let level = match level {
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
        };
        self.logs.push(LogLine { level: level.to_owned(), message });
    }
}

/// A compiled and linked component of this version.
pub(super) struct Prepared {
    pre: PluginPre<State>,
}

impl Prepared {
    /// Loads and links. What the contract does not offer is refused by name.
    pub(super) fn link(engine: &Engine, code: &Code) -> Result<Self, PluginFailure> {
        let incompatible = |error: wasmtime::Error| PluginFailure::new("plugin.incompatible", format!("{error:#}"));
        let component = code.load(engine).map_err(incompatible)?;
        let mut linker: Linker<State> = Linker::new(engine);
        Plugin::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state).map_err(incompatible)?;
        let pre = linker.instantiate_pre(&component).map_err(incompatible)?;
        Ok(Self { pre: PluginPre::new(pre).map_err(incompatible)? })
    }

    fn store(engine: &Engine, limits: &RunLimits, budget: Budget) -> Store<State> {
        let state =
            State { usage: Usage::new(limits), limits: *limits, logs: Vec::new(), log_bytes: 0, logs_dropped: 0 };
        let mut store = Store::new(engine, state);
        store.limiter(|state| &mut state.usage);
        store.set_hostcall_fuel(limits.result_bytes);
        store.set_max_component_handles(limits.handles);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(move |_| match budget.check() {
            Ok(()) => Ok(UpdateDeadline::Continue(1)),
            Err(reached) => Err(wasmtime::Error::new(reached)),
        });
        store
    }

    /// Makes an instance and throws it away: a start function that loops, or types that do not fit, show here.
    pub(super) fn try_instance(&self, engine: &Engine, limits: &RunLimits) -> Result<(), PluginFailure> {
        let mut store = Self::store(engine, limits, Budget::start(limits));
        match self.pre.instantiate(&mut store) {
            Ok(_) => Ok(()),
            Err(error) => {
                let failure = PluginFailure::from_engine(&error, limits, panic_text(&store.data().logs));
                let incompatible = failure.limit.is_none() && error.downcast_ref::<wasmtime::Trap>().is_none();
                Err(if incompatible {
                    PluginFailure::new("plugin.incompatible", format!("{error:#}"))
                } else {
                    failure
                })
            }
        }
    }

    /// Runs `transform` on a fresh instance.
    pub(super) fn transform(&self, engine: &Engine, limits: &RunLimits, input: &Input) -> Ran {
        let budget = Budget::start(limits);
        let mut store = Self::store(engine, limits, budget);
        let (event, subscription) = (event(input), subscription(input));
        let called = self.pre.instantiate(&mut store).and_then(|instance| {
            instance.hookwright_plugin_transformer().call_transform(&mut store, &event, &subscription)
        });
        let result = match called {
            Ok(Ok(outcome)) => transformed(outcome),
            Ok(Err(failure)) => Ok(Transformed::Failed {
                code: failure.code,
                message: failure.message,
                retry_after_ms: failure.retry_after_ms,
            }),
            Err(error) => Err(PluginFailure::from_engine(&error, limits, panic_text(&store.data().logs))),
        };
        let state = store.into_data();
        let used = Used {
            cpu_us: u64::try_from(budget.cpu_used().as_micros()).unwrap_or(u64::MAX),
            memory_bytes: state.usage.memory_bytes(),
            logs: state.logs,
            logs_dropped: state.logs_dropped,
        };
        Ran { used, result }
    }
}

/// What the SDK logs as a plugin panics, which the trap behind it does not say.
fn panic_text(logs: &[LogLine]) -> Option<&str> {
    let last = logs.iter().rev().find(|line| line.level == "error")?;
    last.message.starts_with("panicked at ").then_some(last.message.as_str())
}

fn fields_in(fields: &[Field]) -> Vec<types::Field> {
    fields.iter().map(|field| types::Field { name: field.name.clone(), value: field.value.clone() }).collect()
}

fn fields_out(fields: Vec<types::Field>) -> Vec<Field> {
    fields.into_iter().map(|field| Field { name: field.name, value: field.value }).collect()
}

fn payload(bytes: &[u8]) -> types::Payload {
    match std::str::from_utf8(bytes) {
        Ok(text) => types::Payload::Text(text.to_owned()),
        Err(_) => types::Payload::Binary(bytes.to_vec()),
    }
}

fn event(input: &Input) -> types::Event {
    let event = &input.event;
    types::Event {
        id: event.id.to_string(),
        kind: event.event_type.as_str().to_owned(),
        occurred_at: event.occurred_at.to_string(),
        received_at: event.received_at.to_string(),
        project: event.project.to_string(),
        subject: event.subject.clone(),
        content_type: event.content_type.clone(),
        payload: event.payload.as_deref().map(payload),
        attributes: fields_in(&event.attributes),
        trigger: input.trigger.as_str().to_owned(),
        delivery_id: input.delivery.to_string(),
        meta: Vec::new(),
    }
}

fn subscription(input: &Input) -> types::Subscription {
    types::Subscription {
        webhook_id: input.webhook.to_string(),
        name: input.webhook_name.clone(),
        configuration: input.configuration.clone(),
        meta: Vec::new(),
    }
}

fn unsupported(what: &str, fields: &[types::Field]) -> PluginFailure {
    let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
    let message = format!("this server does not know the {what} `{}` that the plugin used", names.join(", "));
    PluginFailure::new("plugin.bad_output", message)
}

fn no_meta(what: &str, meta: &[types::Field]) -> Result<(), PluginFailure> {
    if meta.is_empty() { Ok(()) } else { Err(unsupported(&format!("meta of the {what}"), meta)) }
}

fn transformed(outcome: types::Outcome) -> Result<Transformed, PluginFailure> {
    match outcome {
        types::Outcome::Deliver(requests) => {
            requests.into_iter().map(request).collect::<Result<_, _>>().map(Transformed::Deliver)
        }
        types::Outcome::Skip(reason) => Ok(Transformed::Skip(reason)),
        types::Outcome::Other(fields) => Err(unsupported("outcome", &fields)),
    }
}

fn request(request: types::Request) -> Result<PluginRequest, PluginFailure> {
    no_meta("request", &request.meta)?;
    let body = match request.body {
        types::Body::None => Body::None,
        types::Body::Json(text) => Body::Json(text),
        types::Body::Form(fields) => Body::Form(fields_out(fields)),
        types::Body::Text(text) => Body::Text(text),
        types::Body::Bytes(content) => {
            no_meta("body", &content.meta)?;
            Body::Bytes { content_type: content.content_type, data: content.data }
        }
        types::Body::Other(fields) => return Err(unsupported("body", &fields)),
    };
    Ok(PluginRequest {
        label: request.label,
        method: request.method,
        path: request.path,
        query: fields_out(request.query),
        headers: fields_out(request.headers),
        body,
        credentials: request.credentials.into_iter().map(credential).collect::<Result<_, _>>()?,
        correlation: request.correlation,
    })
}

fn credential(credential: types::Credential) -> Result<Credential, PluginFailure> {
    no_meta("credential", &credential.meta)?;
    let placement = match credential.placement {
        types::Placement::Bearer => Placement::Bearer,
        types::Placement::Basic(name) => Placement::Basic { name },
        types::Placement::Header(name) => Placement::Header { name },
        types::Placement::Query(name) => Placement::Query { name },
        types::Placement::JsonBody(name) => Placement::JsonBody { name },
        types::Placement::FormBody(name) => Placement::FormBody { name },
        types::Placement::Other(fields) => return Err(unsupported("placement", &fields)),
    };
    let part = |part| match part {
        types::CredentialPart::Literal(text) => Ok(Part::Literal(text)),
        types::CredentialPart::Secret(name) => Ok(Part::Secret(name)),
        types::CredentialPart::Other(fields) => Err(unsupported("part of a credential", &fields)),
    };
    Ok(Credential { placement, value: credential.value.into_iter().map(part).collect::<Result<_, _>>()? })
}
