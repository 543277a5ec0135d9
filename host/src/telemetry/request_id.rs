//! The id of the request that is being answered: in every line of the log that is written meanwhile. It stands beside the log's
//! spans, which would cost more than all else that surrounds a request.

use std::fmt;
use std::sync::Arc;

use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

tokio::task_local! {
    static CURRENT: Arc<str>;
}

/// Answers a request under its id.
pub fn within<F: Future>(id: Arc<str>, answer: F) -> impl Future<Output = F::Output> {
    CURRENT.scope(id, answer)
}

/// The id of the request that is being answered, if this is done for one.
pub fn current() -> Option<Arc<str>> {
    CURRENT.try_with(Clone::clone).ok()
}

/// What a line is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Form {
    /// An object, in which the id is `request_id`.
    Json,
    /// Text, before which the id stands in brackets.
    Text,
}

/// Writes the id into what another one makes of a line.
#[derive(Debug)]
pub(super) struct WithRequestId<F>(pub(super) Form, pub(super) F);

impl<S, N, F> FormatEvent<S, N> for WithRequestId<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut line: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let Self(form, inner) = self;
        let Some(id) = current() else { return inner.format_event(context, line, event) };
        match form {
            Form::Json => {
                let mut object = String::new();
                inner.format_event(context, Writer::new(&mut object), event)?;
                // An id is plain ASCII without quotes.
                write!(line, "{{\"request_id\":\"{id}\",{}", object.strip_prefix('{').unwrap_or(&object))
            }
            Form::Text => {
                write!(line, "[{id}] ")?;
                inner.format_event(context, line, event)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use parking_lot::Mutex;
    use tracing_subscriber::fmt::format;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is logged by `tell` outside of a request and within one.
    async fn told<F>(form: F) -> Vec<String>
    where
        F: FormatEvent<tracing_subscriber::Registry, tracing_subscriber::fmt::format::DefaultFields>
            + Send
            + Sync
            + 'static,
    {
        use tracing_subscriber::layer::SubscriberExt as _;
        let lines = Lines::default();
        let writer = lines.clone();
        let layer = tracing_subscriber::fmt::layer().event_format(form).with_writer(move || writer.clone());
        let _on = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));
        tracing::info!(n = 1, "outside");
        within("7f3c".into(), async { tracing::info!(n = 2, "within") }).await;
        let text = String::from_utf8(lines.0.lock().clone()).unwrap();
        text.lines().map(ToOwned::to_owned).collect()
    }

    #[tokio::test]
    async fn a_line_of_json_says_for_which_request_it_is() {
        let lines = told(WithRequestId(Form::Json, format().json().without_time())).await;
        let lines: Vec<serde_json::Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!((lines[0].get("request_id"), &lines[0]["fields"]["message"]), (None, &"outside".into()));
        assert_eq!((&lines[1]["request_id"], &lines[1]["fields"]["n"]), (&"7f3c".into(), &2.into()));
    }

    #[tokio::test]
    async fn a_line_of_text_says_for_which_request_it_is() {
        let lines = told(WithRequestId(Form::Text, format().with_ansi(false).without_time())).await;
        assert!(!lines[0].starts_with('[') && lines[0].contains("outside"), "{lines:?}");
        assert!(lines[1].starts_with("[7f3c] ") && lines[1].contains("within n=2"), "{lines:?}");
    }
}
