//! What a tab says that nobody asked: errors, reports of the content security policy, dialogs.

use std::sync::Arc;

use chromiumoxide::{
    Page,
    cdp::{
        IntoEventKind,
        browser_protocol::{
            audits::{EventIssueAdded, InspectorIssueCode},
            log::{EventEntryAdded, LogEntryLevel, LogEntrySource},
            page::{DialogType, EventJavascriptDialogOpening},
        },
        js_protocol::runtime::{ConsoleApiCalledType, EventConsoleApiCalled, EventExceptionThrown},
    },
};
use futures_util::StreamExt;
use parking_lot::Mutex;
use serde_json::json;
use tokio::task::JoinHandle;

use super::call::{call, try_call};

/// What was seen of a tab so far.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// What should not happen on any page.
    pub(super) problems: Vec<String>,
}

/// Listens as long as it lives.
#[derive(Debug)]
pub(super) struct Watch {
    pub(super) seen: Arc<Mutex<Seen>>,
    tasks: Vec<JoinHandle<()>>,
}

impl Watch {
    pub(super) async fn start(page: &Page) -> Self {
        let mut watch = Self { seen: Arc::default(), tasks: Vec::new() };
        watch
            .on::<EventExceptionThrown>(page, |seen, event| {
                let details = &event.exception_details;
                let thrown = details.exception.as_ref().and_then(|thrown| thrown.description.clone());
                seen.problems.push(format!("exception: {}", thrown.unwrap_or_else(|| details.text.clone())));
            })
            .await;
        watch
            .on::<EventConsoleApiCalled>(page, |seen, event| {
                if matches!(event.r#type, ConsoleApiCalledType::Error | ConsoleApiCalledType::Assert) {
                    let said: Vec<_> = event.args.iter().filter_map(|arg| arg.value.clone()).collect();
                    seen.problems.push(format!("console: {said:?}"));
                }
            })
            .await;
        watch
            .on::<EventEntryAdded>(page, |seen, event| {
                let entry = &event.entry;
                // What was answered with an error is told by `Tab::loaded`.
                if entry.level == LogEntryLevel::Error && entry.source != LogEntrySource::Network {
                    seen.problems.push(format!("log: {} ({:?})", entry.text, entry.url));
                }
            })
            .await;
        watch
            .on::<EventIssueAdded>(page, |seen, event| {
                if event.issue.code == InspectorIssueCode::ContentSecurityPolicyIssue {
                    seen.problems
                        .push(format!("policy: {:?}", event.issue.details.content_security_policy_issue_details));
                }
            })
            .await;
        watch.dialogs(page).await;
        for method in ["Audits.enable", "Log.enable", "Network.enable", "Accessibility.enable"] {
            call(page, method, json!({})).await;
        }
        // So that what a page weighs is what it weighs for whoever comes first.
        call(page, "Network.setCacheDisabled", json!({ "cacheDisabled": true })).await;
        watch
    }

    async fn on<E: IntoEventKind + Unpin + Send + Sync>(
        &mut self,
        page: &Page,
        note: impl Fn(&mut Seen, &E) + Send + 'static,
    ) {
        let mut events = page.event_listener::<E>().await.expect("the tab can be listened to");
        let seen = Arc::clone(&self.seen);
        self.tasks.push(tokio::spawn(async move {
            while let Some(event) = events.next().await {
                note(&mut seen.lock(), &event);
            }
        }));
    }

    /// A dialog stops the page until somebody answers. What asks is answered with yes; nothing else has a dialog.
    async fn dialogs(&mut self, page: &Page) {
        let mut events =
            page.event_listener::<EventJavascriptDialogOpening>().await.expect("the tab can be listened to");
        let (seen, page) = (Arc::clone(&self.seen), page.clone());
        self.tasks.push(tokio::spawn(async move {
            while let Some(event) = events.next().await {
                let asks = matches!(event.r#type, DialogType::Beforeunload | DialogType::Confirm);
                if !asks {
                    seen.lock().problems.push(format!("dialog: {}", event.message));
                }
                let _ = try_call(&page, "Page.handleJavaScriptDialog", json!({ "accept": asks })).await;
            }
        }));
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}
