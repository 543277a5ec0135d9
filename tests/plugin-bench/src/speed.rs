//! The same event made into the same message three ways, in turn, so that whatever drifts on the machine meets all of them.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use hookwright::domain::plugin_limits::PluginLimits;
use hookwright::domain::request::Body;
use hookwright::sandbox::{Input, Loaded, RunLimits, Sandbox, Transformed};
use hookwright_plugin_sandbox::Host;
use hookwright_sdk::testing;
use rquickjs::{Context, Function, Runtime};
use serde::Serialize;
use serde_json::Value;
use slack::Slack;

use crate::Failure;
use crate::subject::{CONFIGURATION, KIND, input, payload};

/// Events of one measurement.
const EVENTS: u32 = 4_000;
/// `QuickJS` takes longer.
const EVENTS_QUICKJS: u32 = 400;
const SCRIPT: &str = include_str!("slack.js");

/// Microseconds for one event, and how they compare: medians of ratios within one turn.
#[derive(Debug, Serialize)]
pub(crate) struct Figures {
    sandbox_us: f64,
    native_us: f64,
    quickjs_us: f64,
    sandbox_to_native: f64,
    quickjs_to_sandbox: f64,
    two_threads_to_one: f64,
    /// What two processors of this machine give at best.
    native_two_threads_to_one: f64,
}

struct Turn {
    sandbox: Duration,
    native: Duration,
    quickjs: Duration,
    /// For each event, when two threads share them.
    shared: Duration,
    native_shared: Duration,
}

/// The plugin in the sandbox, on one event.
struct Subject<'a> {
    sandbox: &'a Sandbox,
    loaded: &'a Loaded,
    limits: RunLimits,
    input: &'a Input,
}

impl Subject<'_> {
    fn run(&self) -> Result<Transformed, Failure> {
        let ran = self.sandbox.run_here(self.loaded, &self.limits, self.input);
        Ok(ran.result.map_err(|failure| failure.to_string())?)
    }

    fn runs(&self, times: u32) {
        for _ in 0..times {
            self.run().expect("it ran before");
        }
    }
}

pub(crate) async fn measure(program: &Path, plugins: &Path, repeat: usize) -> Result<Figures, Failure> {
    let host = Host::start(program)?;
    let loaded = host.load(&fs::read(plugins.join("slack.wasm"))?).await?;
    let input = input();
    let limits = host.sandbox.limits(&PluginLimits::default());
    let subject = Subject { sandbox: &host.sandbox, loaded: &loaded, limits, input: &input };
    same_message(&subject)?;
    subject.runs(EVENTS);
    let turns: Vec<Turn> = (0..repeat.max(1)).map(|_| turn(&subject)).collect();
    let median = |figure: fn(&Turn) -> f64| {
        let mut figures: Vec<f64> = turns.iter().map(figure).collect();
        figures.sort_by(f64::total_cmp);
        figures[figures.len() / 2]
    };
    Ok(Figures {
        sandbox_us: median(|turn| us(turn.sandbox)),
        native_us: median(|turn| us(turn.native)),
        quickjs_us: median(|turn| us(turn.quickjs)),
        sandbox_to_native: median(|turn| us(turn.sandbox) / us(turn.native)),
        quickjs_to_sandbox: median(|turn| us(turn.quickjs) / us(turn.sandbox)),
        two_threads_to_one: median(|turn| us(turn.sandbox) / us(turn.shared)),
        native_two_threads_to_one: median(|turn| us(turn.native) / us(turn.native_shared)),
    })
}

fn us(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn each(events: u32, work: impl FnOnce()) -> Duration {
    let started = Instant::now();
    work();
    started.elapsed() / events
}

fn turn(subject: &Subject<'_>) -> Turn {
    let input = input();
    let other = Subject { input: &input, ..*subject };
    let event = testing::event(KIND).text(payload()).subject("tic_42").build();
    let configuration = Value::Object(serde_json::Map::new());
    let natively = || {
        for _ in 0..EVENTS {
            std::hint::black_box(testing::run::<Slack>(&event, configuration.clone()));
        }
    };
    Turn {
        sandbox: each(EVENTS, || subject.runs(EVENTS)),
        native: each(EVENTS, natively),
        quickjs: each(EVENTS_QUICKJS, || {
            for _ in 0..EVENTS_QUICKJS {
                std::hint::black_box(quickjs(&payload()).expect("it ran before"));
            }
        }),
        // Each thread has an event of its own, as in the server.
        shared: each(2 * EVENTS, || both(|| subject.runs(EVENTS), || other.runs(EVENTS))),
        native_shared: each(2 * EVENTS, || both(natively, natively)),
    }
}

/// On two threads at once.
fn both(one: impl FnOnce() + Send, other: impl FnOnce() + Send) {
    std::thread::scope(|scope| {
        scope.spawn(one);
        scope.spawn(other);
    });
}

/// The message that the script makes, in a runtime of its own as each event gets one.
fn quickjs(payload: &str) -> Result<String, Failure> {
    let runtime = Runtime::new()?;
    let context = Context::full(&runtime)?;
    context.with(|context| {
        context.eval::<(), _>(SCRIPT)?;
        let transform: Function<'_> = context.globals().get("transform")?;
        Ok(transform.call((KIND, payload, CONFIGURATION))?)
    })
}

/// Who is faster says nothing if it does something else.
fn same_message(subject: &Subject<'_>) -> Result<(), Failure> {
    let event = testing::event(KIND).text(payload()).subject("tic_42").build();
    let native = testing::run::<Slack>(&event, serde_json::json!({})).body();
    let Transformed::Deliver(requests) = subject.run()? else { return Err("no request was made".into()) };
    let Some(Body::Json(sandboxed)) = requests.first().map(|request| &request.body) else {
        return Err("the request has no JSON body".into());
    };
    for (who, made) in [("the sandbox", sandboxed.clone()), ("QuickJS", quickjs(&payload())?)] {
        let made: Value = serde_json::from_str(&made)?;
        if made != native {
            return Err(format!("{who} made {made}, but natively it is {native}").into());
        }
    }
    Ok(())
}
