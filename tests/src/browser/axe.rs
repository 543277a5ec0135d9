//! What keeps people from using a page, told by axe-core.

use std::{fs, path::Path};

use serde::Deserialize;
use serde_json::Value;

use super::Tab;

/// A rule that a page breaks.
#[derive(Debug, Clone, Deserialize)]
pub struct Barrier {
    /// Which rule.
    pub id: String,
    /// `minor`, `moderate`, `serious` or `critical`.
    pub impact: Option<String>,
    pub help: String,
    /// Where.
    pub nodes: Vec<Place>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Place {
    pub html: String,
    #[serde(rename = "failureSummary")]
    pub summary: Option<String>,
}

impl Tab {
    /// Serious and critical barriers on this page by WCAG 2.2 AA and good practice.
    pub async fn barriers(&self) -> Vec<Barrier> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("axe/node_modules/axe-core/axe.min.js");
        let script = fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("{}: {error}; scripts/browser.sh gets it", path.display()));
        self.evaluate(&format!("{script}; 0")).await;
        let found: Value = self.evaluate(RUN).await;
        let found = found.as_str().expect("text");
        let all: Vec<Barrier> = serde_json::from_str(found).unwrap_or_else(|error| panic!("{error} in {found}"));
        let is_serious = |barrier: &Barrier| matches!(barrier.impact.as_deref(), Some("serious" | "critical"));
        all.into_iter().filter(is_serious).collect()
    }

    /// Panics if there is any.
    pub async fn is_accessible(&self) {
        let barriers = self.barriers().await;
        assert!(barriers.is_empty(), "{}: {barriers:#?}", self.path().await);
    }
}

const RUN: &str = "axe.run(document, {
    resultTypes: ['violations'],
    runOnly: { type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] },
}).then(result => JSON.stringify(result.violations.map(({ id, impact, help, nodes }) => ({
    id, impact, help, nodes: nodes.slice(0, 5).map(({ html, failureSummary }) => ({ html, failureSummary })),
}))))";
