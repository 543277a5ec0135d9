//! One tab: where it is, what stands there, what was wrong.

use std::time::Duration;

use chromiumoxide::{Page, cdp::browser_protocol::page::EventLoadEventFired};
use futures_util::StreamExt;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{
    call::{call, try_call},
    node::{Node, Wanted},
    watch::Watch,
};
use crate::eventually::within;

/// How long a page may take to show what it should.
const PATIENCE: Duration = Duration::from_secs(30);
/// So much of a page is shown when it is not as it should be.
const SHOWN_CHARS: usize = 6_000;

/// Something that a page has loaded.
#[derive(Debug, Clone, Deserialize)]
pub struct Loaded {
    pub url: String,
    /// Over the wire, with headers.
    pub bytes: f64,
    pub status: u16,
}

const LOADED: &str = "['navigation', 'resource'].flatMap(kind => performance.getEntriesByType(kind)).map(entry => ({
    url: entry.name, bytes: entry.transferSize, status: entry.responseStatus,
}))";

/// A tab. Whatever is looked for is waited for.
#[derive(Debug)]
pub struct Tab {
    pub(super) page: Page,
    server: String,
    pub(super) watch: Watch,
}

impl Tab {
    pub(super) async fn new(page: Page, server: &str) -> Self {
        let watch = Watch::start(&page).await;
        let tab = Self { page, server: server.to_owned(), watch };
        tab.resize(super::WIDE).await;
        tab
    }

    /// Goes to a path of the server and waits until it has loaded.
    pub async fn goto(&self, path: &str) {
        let url = format!("{}{path}", self.server);
        self.loads(path, async {
            call(&self.page, "Page.navigate", json!({ "url": url })).await;
        })
        .await;
    }

    pub async fn reload(&self) {
        self.loads("the same page", async {
            call(&self.page, "Page.reload", json!({})).await;
        })
        .await;
    }

    /// Goes back to where it was before.
    pub async fn back(&self) {
        self.loads("the page before", async {
            self.evaluate("history.back()").await;
        })
        .await;
    }

    /// Waits until what is done has brought another page.
    pub async fn loads<T>(&self, what: &str, act: impl Future<Output = T>) -> T {
        let mut loaded = self.page.event_listener::<EventLoadEventFired>().await.expect("the tab can be listened to");
        let done = act.await;
        let Ok(Some(_)) = timeout(PATIENCE, loaded.next()).await else {
            panic!("no page loads: {what}\n{}", self.shown().await);
        };
        done
    }

    /// Path, query and fragment of where it is.
    pub async fn path(&self) -> String {
        let url = self.evaluate("location.href").await;
        let url = url.as_str().expect("a URL");
        url.strip_prefix(&self.server).unwrap_or(url).to_owned()
    }

    pub async fn title(&self) -> String {
        self.evaluate("document.title").await.as_str().expect("a title").to_owned()
    }

    /// What an expression gives, promises kept.
    pub async fn evaluate(&self, expression: &str) -> Value {
        self.try_evaluate(expression).await.unwrap_or_else(|error| panic!("{error} in {expression}"))
    }

    pub(super) async fn try_evaluate(&self, expression: &str) -> Result<Value, String> {
        let parameters = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let mut answer = try_call(&self.page, "Runtime.evaluate", parameters).await?;
        match answer.get("exceptionDetails") {
            Some(thrown) => Err(thrown["exception"]["description"].as_str().unwrap_or("thrown").to_owned()),
            None => Ok(answer["result"]["value"].take()),
        }
    }

    /// The text that can be seen.
    pub async fn text(&self) -> String {
        let text = self.try_evaluate("document.body ? document.body.innerText : ''").await;
        text.ok().and_then(|text| text.as_str().map(str::to_owned)).unwrap_or_default()
    }

    /// Waits until this text can be seen.
    pub async fn see(&self, text: &str) {
        self.until(&format!("{text:?} is shown"), async || self.text().await.contains(text).then_some(())).await;
    }

    /// Waits until this text cannot be seen any more.
    pub async fn gone(&self, text: &str) {
        self.until(&format!("{text:?} is gone"), async || (!self.text().await.contains(text)).then_some(())).await;
    }

    /// Waits until there is something; else panics with what the page shows.
    pub async fn until<T>(&self, what: &str, look: impl AsyncFnMut() -> Option<T>) -> T {
        match within(PATIENCE, look).await {
            Some(found) => found,
            None => panic!("not within {PATIENCE:?}: {what}\n{}", self.shown().await),
        }
    }

    /// Waits for a node of this role and name; see [`Node::find`].
    pub async fn find(&self, role: &str, name: &str) -> Node {
        Node::wait(self, None, &Wanted::new(role, name)).await
    }

    /// Waits for the first row of a table that shows this text; rows have no names.
    pub async fn row(&self, text: &str) -> Node {
        self.until(&format!("a row shows {text:?}"), async || {
            for row in self.all("row", "...").await {
                if row.try_text(self).await.is_some_and(|shown| shown.contains(text)) {
                    return Some(row);
                }
            }
            None
        })
        .await
    }

    /// Every node of this role and name that there is now.
    pub async fn all(&self, role: &str, name: &str) -> Vec<Node> {
        Node::all(self, None, &Wanted::new(role, name)).await
    }

    /// Whether there is such a node now.
    pub async fn has(&self, role: &str, name: &str) -> bool {
        !self.all(role, name).await.is_empty()
    }

    /// Waits for the heading of the page.
    pub async fn heading(&self, name: &str) -> Node {
        self.find("heading", name).await
    }

    pub async fn click(&self, role: &str, name: &str) {
        self.find(role, name).await.click(self).await;
    }

    /// Clicks what leads to another page, and waits for it.
    pub async fn follow(&self, role: &str, name: &str) {
        let node = self.find(role, name).await;
        self.loads(&format!("{role} {name:?}"), node.click(self)).await;
    }

    /// Writes into the field of this label.
    pub async fn fill(&self, label: &str, text: &str) {
        // A part of the page may be put in place of what is found, just now.
        let what = format!("{label:?} can be filled in");
        let node = self.until(&what, async || {
            let node = Node::wait(self, None, &Wanted::field(label)).await;
            node.takes_focus(self).await.then_some(node)
        });
        node.await.fill(self, text).await;
    }

    /// The field of this label.
    pub async fn field(&self, label: &str) -> Node {
        Node::wait(self, None, &Wanted::field(label)).await
    }

    /// Chooses from the list of this label.
    pub async fn choose(&self, label: &str, option: &str) {
        Node::wait(self, None, &Wanted::field(label)).await.choose(self, option).await;
    }

    /// Gives a file to the field of this label.
    pub async fn attach(&self, label: &str, file: &std::path::Path) {
        let node = self.find("button", label).await;
        let file = file.to_str().expect("a path of UTF-8");
        call(&self.page, "DOM.setFileInputFiles", json!({ "files": [file], "backendNodeId": node.id })).await;
    }

    /// Panics if anything went wrong since it was asked last: errors of scripts, reports of the policy, dialogs.
    pub async fn is_clean(&self) {
        // What was said before this call has been told when it is answered.
        self.try_evaluate("0").await.ok();
        let problems = std::mem::take(&mut self.watch.seen.lock().problems);
        assert!(problems.is_empty(), "{}: {problems:#?}", self.path().await);
    }

    /// What went wrong so far.
    pub fn problems(&self) -> Vec<String> {
        self.watch.seen.lock().problems.clone()
    }

    /// What went wrong so far was to be expected.
    pub fn forget(&self) {
        self.watch.seen.lock().problems.clear();
    }

    /// The page and everything that it has loaded so far.
    pub async fn loaded(&self) -> Vec<Loaded> {
        let loaded = self.evaluate(LOADED).await;
        serde_json::from_value(loaded).expect("what browsers tell of what they load")
    }

    /// What a page loads for whoever comes first.
    pub async fn weigh(&self, path: &str) -> Vec<Loaded> {
        self.goto(path).await;
        self.loaded().await
    }

    /// Runs pages without scripts, or with them again. Loaded pages keep what they are.
    pub async fn scripts(&self, on: bool) {
        call(&self.page, "Emulation.setScriptExecutionDisabled", json!({ "value": !on })).await;
    }

    /// What can be seen now, for whoever reads why a test failed.
    pub(super) async fn shown(&self) -> String {
        let url = self.try_evaluate("location.href").await.unwrap_or_default();
        let text: String = self.text().await.chars().take(SHOWN_CHARS).collect();
        let problems = &self.watch.seen.lock().problems;
        format!("---- {url}\n{text}\n---- {problems:#?}")
    }
}
