//! Filters of webhooks: an expression over an event that says whether the webhook wants it.
//!
//! The language is the expressions of Rhai without whatever makes something: no statements, functions, closures, maps,
//! text templates or arithmetic. So a filter has no loop, and its cost is bounded by its length and by what its
//! functions look at, which is counted. Payloads are never copied: they are values of our own (`value`), with functions
//! of our own (`functions`).

mod budget;
mod functions;
mod grammar;
mod stats;
mod value;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

use rhai::{AST, Dynamic, Engine, EvalAltResult, Position, Scope};
use serde::{Deserialize, Serialize};

use super::event::Event;
pub use stats::{FilterStats, LastError};

/// What filters may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FilterLimits {
    /// Longest filter in bytes; at most 16 KiB.
    pub source_max_bytes: usize,
    /// Deepest nesting; a chain of `&&` or `||` and each `.` of a path count too. At most 64.
    pub depth_max: usize,
    /// Most operations of one evaluation; at most 1,000,000. One is a step of the expression, an element or 256 bytes of
    /// text that a function looks at.
    pub operations_max: u64,
}

impl Default for FilterLimits {
    fn default() -> Self {
        Self { source_max_bytes: 2048, depth_max: 64, operations_max: 10_000 }
    }
}

/// Why a filter cannot be used, or gave no answer. It never repeats anything of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FilterError {
    message: String,
    /// Line and column, from 1.
    position: Option<(usize, usize)>,
}

impl FilterError {
    fn new(message: impl Into<String>, position: Position) -> Self {
        let column = position.position().unwrap_or(1);
        Self { message: message.into(), position: position.line().map(|line| (line, column)) }
    }
}

impl std::error::Error for FilterError {}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match self.position {
            Some((line, column)) => write!(f, " (line {line}, column {column})"),
            None => Ok(()),
        }
    }
}

/// A webhook's filter: its text, what was made of it, and what became of its evaluations on this node.
#[derive(Debug)]
pub struct Filter {
    source: String,
    /// Made at the first use: lists of webhooks need only the text.
    compiled: OnceLock<Result<AST, FilterError>>,
    stats: FilterStats,
}

impl Filter {
    /// A filter with this text, whether it can be used or not.
    pub fn new(source: String) -> Self {
        Self { source, compiled: OnceLock::new(), stats: FilterStats::default() }
    }

    /// The text.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// What became of its evaluations.
    pub fn stats(&self) -> &FilterStats {
        &self.stats
    }
}

/// What a filter says about an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is wanted.
    Match,
    /// It is not.
    NoMatch,
    /// Nobody knows, so it is not.
    Error(FilterError),
}

/// One evaluation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluation {
    /// What came of it.
    pub verdict: Verdict,
    /// What it cost.
    pub operations: u64,
}

/// An event as filters see it. Made once for each event.
#[derive(Debug)]
pub struct Facts(Scope<'static>);

impl Facts {
    /// Reads the payload; one that is not JSON, or nested more than 128 levels deep, is `()`.
    pub fn of(event: &Event) -> Self {
        let attributes = event.attributes.iter().map(|field| (field.name.as_str(), field.value.as_str()));
        let mut scope = Scope::new();
        scope.push_constant_dynamic("type", event.event_type.as_str().into());
        scope.push_constant_dynamic("subject", event.subject.as_deref().map_or(Dynamic::UNIT, Into::into));
        scope.push_constant_dynamic("project", event.project.to_string().into());
        scope.push_constant_dynamic("occurred_at", event.occurred_at.to_string().into());
        scope.push_constant_dynamic("attributes", value::of_texts(attributes));
        scope.push_constant_dynamic("payload", event.payload.as_deref().map_or(Dynamic::UNIT, value::of_json));
        Self(scope)
    }

    /// The names alone, for what is checked before there is an event.
    fn names() -> Scope<'static> {
        let mut scope = Scope::new();
        for name in ["type", "subject", "project", "occurred_at", "attributes", "payload"] {
            scope.push_constant_dynamic(name, Dynamic::UNIT);
        }
        scope
    }
}

/// Checks and evaluates filters.
pub struct Filters {
    engine: Engine,
    names: Scope<'static>,
    limits: FilterLimits,
}

impl Filters {
    /// With these limits.
    pub fn new(limits: FilterLimits) -> Self {
        Self { engine: functions::engine(&limits), names: Facts::names(), limits }
    }

    /// Checks the text of a filter before it is saved.
    pub fn check(&self, source: &str) -> Result<(), FilterError> {
        self.compile(source).map(drop)
    }

    fn compile(&self, source: &str) -> Result<AST, FilterError> {
        let max = self.limits.source_max_bytes;
        if source.len() > max {
            let message = format!("has {} bytes; allowed are {max}", source.len());
            return Err(FilterError::new(message, Position::NONE));
        }
        let parsed = guarded(|| self.engine.compile_expression_with_scope(&self.names, source));
        let compiled = parsed.map_err(|()| broken())?.map_err(|error| grammar::unreadable(&error))?;
        grammar::check(&compiled)?;
        Ok(compiled)
    }

    /// Whether a filter wants an event.
    pub fn evaluate(&self, filter: &Filter, facts: &mut Facts) -> Evaluation {
        let compiled = match filter.compiled.get_or_init(|| self.compile(&filter.source)) {
            Ok(compiled) => compiled,
            Err(error) => return Evaluation { verdict: Verdict::Error(error.clone()), operations: 0 },
        };
        let evaluate = || self.engine.eval_ast_with_scope::<Dynamic>(&mut facts.0, compiled);
        let (result, operations) = budget::within(self.limits.operations_max, || guarded(evaluate));
        let verdict = match result {
            Err(()) => Verdict::Error(broken()),
            Ok(Err(error)) => Verdict::Error(self.failure(&error)),
            Ok(Ok(value)) => match value.as_bool() {
                Ok(true) => Verdict::Match,
                Ok(false) => Verdict::NoMatch,
                Err(_) => {
                    let message = format!(
                        "gives {}, not true or false",
                        functions::kind(self.engine.map_type_name(value.type_name()))
                    );
                    Verdict::Error(FilterError::new(message, Position::NONE))
                }
            },
        };
        Evaluation { verdict, operations }
    }

    /// In our own words: the engine's would repeat parts of the event.
    fn failure(&self, error: &EvalAltResult) -> FilterError {
        let message = match error {
            EvalAltResult::ErrorTooManyOperations(_) | EvalAltResult::ErrorTerminated(..) => {
                let max = self.limits.operations_max;
                return FilterError::new(format!("takes more than {max} operations"), Position::NONE);
            }
            EvalAltResult::ErrorFunctionNotFound(call, _) => functions::no_such_call(call),
            EvalAltResult::ErrorMismatchDataType(wanted, given, _) => {
                format!("needs {}, not {}", functions::kind(wanted), functions::kind(given))
            }
            EvalAltResult::ErrorDotExpr(..) | EvalAltResult::ErrorIndexingType(..) => {
                "only an object has fields and only an array has elements".to_owned()
            }
            EvalAltResult::ErrorStringBounds(..) | EvalAltResult::ErrorArrayBounds(..) => {
                "there is nothing at this index".to_owned()
            }
            _ => "cannot be evaluated for this event".to_owned(),
        };
        FilterError::new(message, error.position())
    }
}

impl fmt::Debug for Filters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Filters").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// Runs the engine. Its mistakes are not ours to pass on: nothing of ours is changed in there.
fn guarded<T>(run: impl FnOnce() -> T) -> Result<T, ()> {
    catch_unwind(AssertUnwindSafe(run)).map_err(drop)
}

fn broken() -> FilterError {
    FilterError::new("the server cannot read this filter, which is a mistake of the server", Position::NONE)
}

#[cfg(test)]
mod tests;
