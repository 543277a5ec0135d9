//! A real browser (Debian's chromium) over its `DevTools` protocol: pages as people find their way in them, by role and name, by
//! mouse and by keyboard.

mod axe;
mod call;
mod keyboard;
mod look;
mod node;
mod tab;
mod watch;

use std::{path::PathBuf, time::Duration};

use chromiumoxide::{
    BrowserConfig,
    cdp::browser_protocol::{
        browser::BrowserContextId,
        target::{CreateBrowserContextParams, CreateTargetParams},
    },
};
use futures_util::StreamExt;
use tempfile::TempDir;
use tokio::task::JoinHandle;

pub use self::{
    axe::Barrier,
    look::{NARROW, Scheme, WIDE},
    node::Node,
    tab::{Loaded, Tab},
};

/// Generous: a browser may start next to a build.
const START: Duration = Duration::from_mins(1);

/// What a browser needs to be quiet, and to start as any user. It never fetches anything by itself.
const FLAGS: [&str; 10] = [
    "headless",
    "no-sandbox",
    "disable-gpu",
    "disable-quic",
    "no-first-run",
    "disable-background-networking",
    "disable-component-update",
    "disable-sync",
    "disable-dev-shm-usage",
    "hide-scrollbars",
];

/// A browser of the test's own, which knows nothing. Ended when dropped.
#[derive(Debug)]
pub struct Browser {
    inner: chromiumoxide::Browser,
    handling: JoinHandle<()>,
    /// Removed last, when nothing writes to it any more.
    _folder: TempDir,
}

impl Browser {
    pub async fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("hookwright-browser-").tempdir().expect("a temporary folder");
        let config = BrowserConfig::builder()
            .chrome_executable(program())
            .user_data_dir(folder.path())
            .disable_default_args()
            .args(FLAGS)
            // A page that comes back is loaded as any other.
            .arg(("disable-features", "BackForwardCache"))
            .viewport(None)
            .launch_timeout(START)
            .request_timeout(START)
            .build()
            .expect("a configuration");
        let (inner, mut handler) = chromiumoxide::Browser::launch(config).await.expect("chromium starts");
        let handling = tokio::spawn(async move { while handler.next().await.is_some() {} });
        Self { inner, handling, _folder: folder }
    }

    /// An empty tab for the pages of this server.
    pub async fn tab(&self, server: &str) -> Tab {
        let page = self.inner.new_page(window(None)).await.expect("a tab");
        Tab::new(page, server).await
    }

    /// A tab of somebody else: with cookies of its own.
    pub async fn stranger(&self, server: &str) -> Tab {
        let context =
            self.inner.create_browser_context(CreateBrowserContextParams::default()).await.expect("a context");
        let page = self.inner.new_page(window(Some(context))).await.expect("a tab");
        Tab::new(page, server).await
    }
}

/// A window for each tab: one behind another is hidden, and a browser draws nothing in it.
fn window(context: Option<BrowserContextId>) -> CreateTargetParams {
    let mut target = CreateTargetParams::new("about:blank");
    target.browser_context_id = context;
    target.new_window = Some(true);
    target
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.handling.abort();
    }
}

/// Where the browser is; the tests of pages fail where there is none.
#[expect(clippy::disallowed_methods, reason = "where programs are, is told by whoever started it")]
fn program() -> PathBuf {
    let path = std::env::var("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join("chromium"))
        .find(|program| program.is_file())
        .expect("there is no chromium: run scripts/browser.sh, or `make test`")
}
