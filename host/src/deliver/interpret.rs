//! What an answer means, when the plugin that made the request wants to say.

use std::sync::Arc;
use std::time::Duration;

use super::attempt::keep;
use super::client::{Exchange, Response};
use super::dispatcher::Dispatcher;
use super::library::Availability;
use super::transform::input;
use crate::domain::clock::Millis;
use crate::domain::event::Field;
use crate::domain::plugin::PluginFailure;
use crate::domain::redact::Redactor;
use crate::domain::retry::Ending;
use crate::domain::verdict::{Decision, Fact, Item, Verdict};
use crate::domain::webhook::{PluginUse, Webhook};
use crate::sandbox::{Answered, LogLine, Ran, Used};
use crate::store::{ClaimedSend, Learnt, LoadedRequest};

/// How much of its lease an attempt keeps for recording its result.
const RECORD_MS: u64 = 500;
/// How long to wait before a thread or the plugin's code is asked for again.
const AGAIN: Duration = Duration::from_millis(20);

/// What a plugin said of an answer.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// What it means; none when the plugin failed to say.
    pub(super) verdict: Option<Verdict>,
    /// The same as it is kept with the attempt, and how the run went: JSON.
    pub(super) shown: Option<String>,
}

impl Heard {
    /// What it wants to remember, of at most so many facts.
    pub(super) fn learnt(&mut self, plugin: &str, most: usize) -> Option<Learnt> {
        let facts = std::mem::take(&mut self.verdict.as_mut()?.facts);
        (!facts.is_empty()).then(|| Learnt { plugin: plugin.to_owned(), facts, most })
    }
}

#[derive(serde::Serialize)]
struct Shown<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    decision: Option<Decision>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wait_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<&'a str>,
    #[serde(skip_serializing_if = "<[Item]>::is_empty")]
    items: &'a [Item],
    /// Keys only: what is remembered is shown with the webhook.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    remembered: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    forgotten: Vec<&'a str>,
    cpu_us: u64,
    memory_bytes: u64,
    logs: &'a [LogLine],
    logs_dropped: u32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    recalled: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a PluginFailure>,
}

/// The plugin that reads the answers to this request, if there is one.
pub(super) fn reader(work: &ClaimedSend) -> Option<&PluginUse> {
    let plugin = work.head.configuration.plugin.as_ref()?;
    let is_frozen = matches!(work.content, LoadedRequest::Frozen(_));
    (is_frozen && plugin.abilities.interpreter.is_some()).then_some(plugin)
}

impl Dispatcher {
    /// Asks the plugin what the answer means, if it wants to be asked. Without its answer the rules by status count.
    pub(super) async fn interpret(
        self: &Arc<Self>,
        work: &ClaimedSend,
        webhook: &Webhook,
        exchange: &Exchange,
        attempt: u32,
    ) -> Heard {
        let (Some(plugin), Some(response), Ending::Answered { status, .. }) =
            (reader(work), &exchange.response, &exchange.ending)
        else {
            return Heard::default();
        };
        let LoadedRequest::Frozen(request) = &work.content else { return Heard::default() };
        if !plugin.abilities.interprets(*status) {
            return Heard::default();
        }
        let (headers, body, truncated) = visible(&webhook.redactor, response, self.parts.plugins.answer_bytes);
        let answered = Answered {
            request: request.as_made(),
            attempt,
            status: *status,
            headers,
            body,
            truncated,
            elapsed_ms: exchange.duration_ms,
        };
        let wait = Duration::from_millis(self.wait_ms(work.lease.until));
        let ran = tokio::time::timeout(wait, self.run_interpreter(work, webhook, plugin, answered)).await;
        let failed = |failure: &PluginFailure| Heard { verdict: None, shown: Some(shown(None, None, Some(failure))) };
        match ran {
            Ok(Ok(None)) => Heard::default(),
            Ok(Ok(Some(Ran { used, result }))) => {
                let limits = self.parts.sandbox.limits(&plugin.limits).verdict;
                let checked = result.and_then(|verdict| {
                    verdict.checked(&limits).map_err(|broken| PluginFailure::broken_verdict(&broken))
                });
                let shown = shown(Some(&used), checked.as_ref().ok(), checked.as_ref().err());
                Heard { verdict: checked.ok(), shown: Some(shown) }
            }
            Ok(Err(failure)) => failed(&failure),
            Err(_) => {
                let message =
                    format!("no plugin thread was free within {} ms; the status alone counts", wait.as_millis());
                failed(&PluginFailure::new("host.busy", message))
            }
        }
    }

    /// How long an answer may wait for its interpretation: the result must be recorded within the lease.
    fn wait_ms(&self, lease_until: Millis) -> u64 {
        let left = lease_until.since(self.now()).saturating_sub(RECORD_MS);
        self.parts.plugins.interpreter_wait_ms.min(left)
    }

    async fn run_interpreter(
        self: &Arc<Self>,
        work: &ClaimedSend,
        webhook: &Webhook,
        plugin: &PluginUse,
        answered: Answered,
    ) -> Result<Option<Ran<Verdict>>, PluginFailure> {
        let limits = self.parts.sandbox.limits(&plugin.limits);
        let input = input(&self.parts.store, &work.head, webhook, plugin);
        loop {
            match self.library.get(plugin, self.now()).await {
                Availability::Failed(failure) => return Err(failure),
                Availability::Later(_) => {}
                Availability::Ready((loaded, _)) => {
                    let run = self.parts.sandbox.interpret(loaded, limits, input.clone(), answered.clone());
                    if let Ok(ran) = run.await {
                        return Ok(ran);
                    }
                }
            }
            tokio::time::sleep(AGAIN).await;
        }
    }
}

/// What a plugin may see of an answer: headers, body, and whether that is cut; without secrets, and without the receiver's
/// cookies.
fn visible(redactor: &Redactor, response: &Response, most: usize) -> (Vec<Field>, Vec<u8>, bool) {
    let visible = response.headers.iter().filter(|field| !field.name.eq_ignore_ascii_case("set-cookie"));
    let field = |field: &Field| Field::new(field.name.to_ascii_lowercase(), redactor.text(&field.value));
    let (mut body, truncated) = keep(redactor.bytes(&response.body).into_owned(), response.truncated, most);
    if truncated {
        whole_letters(&mut body);
    }
    (visible.map(field).collect(), body, truncated)
}

/// Takes a letter away that was cut in two, so that text stays text.
fn whole_letters(body: &mut Vec<u8>) {
    if let Err(error) = std::str::from_utf8(body)
        && error.error_len().is_none()
    {
        body.truncate(error.valid_up_to());
    }
}

fn shown(used: Option<&Used>, verdict: Option<&Verdict>, error: Option<&PluginFailure>) -> String {
    let facts = |is_remembered: bool| -> Vec<&str> {
        let facts = verdict.map_or(&[][..], |verdict| &verdict.facts);
        let wanted = |fact: &&Fact| fact.value.is_some() == is_remembered;
        facts.iter().filter(wanted).map(|fact| fact.key.as_str()).collect()
    };
    let shown = Shown {
        decision: verdict.map(|verdict| verdict.decision),
        message: verdict.and_then(|verdict| verdict.message.as_deref()),
        wait_ms: verdict.and_then(|verdict| verdict.wait_ms),
        link: verdict.and_then(|verdict| verdict.link.as_deref()),
        items: verdict.map_or(&[], |verdict| &verdict.items),
        remembered: facts(true),
        forgotten: facts(false),
        cpu_us: used.map_or(0, |used| used.cpu_us),
        memory_bytes: used.map_or(0, |used| used.memory_bytes),
        logs: used.map_or(&[], |used| &used.logs),
        logs_dropped: used.map_or(0, |used| used.logs_dropped),
        recalled: used.map_or_else(Vec::new, |used| used.recalled.iter().map(|fact| fact.key.as_str()).collect()),
        error,
    };
    serde_json::to_string(&shown).expect("a verdict is plain data")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(body: &str, truncated: bool) -> Response {
        let headers = [("set-cookie", "session=1"), ("X-Echo", "Bearer s3cr3t-value"), ("etag", "1")];
        Response {
            status: 200,
            headers: headers.iter().map(|(name, value)| Field::new(*name, *value)).collect(),
            body: body.as_bytes().to_vec(),
            truncated,
        }
    }

    #[test]
    fn a_plugin_sees_of_an_answer_neither_secrets_nor_cookies() {
        let redactor = Redactor::new(&[("token".to_owned(), b"s3cr3t-value".to_vec())]);
        let (headers, body, truncated) = visible(&redactor, &response("you sent s3cr3t-value", false), 1000);
        let seen = format!("{headers:?} {}", String::from_utf8(body).unwrap());
        assert!(!seen.contains("s3cr3t") && !seen.contains("session") && !truncated, "{seen}");
        let names: Vec<_> = headers.iter().map(|field| field.name.as_str()).collect();
        assert_eq!(names, ["x-echo", "etag"]);
    }

    #[test]
    fn a_cut_text_is_still_text() {
        let redactor = Redactor::new(&[]);
        let text = |most| {
            let (_, body, truncated) = visible(&redactor, &response("aäöü", false), most);
            (String::from_utf8(body).unwrap(), truncated)
        };
        assert_eq!(text(4), ("aä".to_owned(), true));
        assert_eq!(text(6), ("aäö".to_owned(), true));
        assert_eq!(text(7), ("aäöü".to_owned(), false));
    }
}
