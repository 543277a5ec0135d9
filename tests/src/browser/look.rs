//! How a page is looked at: how wide, in which light, and a picture of it.

use std::path::Path;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use super::{Tab, call::call};

/// A screen on a desk: width and height in CSS pixels.
pub const WIDE: (u32, u32) = (1280, 800);
/// A telephone.
pub const NARROW: (u32, u32) = (375, 812);
/// Longer pages are cut here, in CSS pixels.
const PICTURE_MAX: f64 = 12_000.0;

/// Which colours a person prefers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    Light,
    Dark,
}

impl Scheme {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

impl Tab {
    pub async fn resize(&self, (width, height): (u32, u32)) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        call(&self.page, "Emulation.setDeviceMetricsOverride", size).await;
    }

    pub async fn prefer(&self, scheme: Scheme) {
        let features = json!([
            { "name": "prefers-color-scheme", "value": scheme.as_str() },
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ]);
        call(&self.page, "Emulation.setEmulatedMedia", json!({ "features": features })).await;
    }

    /// Whether the page is wider than the screen, and what reaches out of it.
    pub async fn overflow(&self) -> Vec<String> {
        let found = self.evaluate(OVERFLOW).await;
        found.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// Writes a picture of the whole page.
    pub async fn picture(&self, file: &Path) {
        let metrics = call(&self.page, "Page.getLayoutMetrics", json!({})).await;
        let size = |name: &str| metrics["cssContentSize"][name].as_f64().expect("a size");
        let (width, height) = (size("width"), size("height").min(PICTURE_MAX));
        let parameters = json!({
            "format": "png",
            "captureBeyondViewport": true,
            "clip": { "x": 0, "y": 0, "width": width, "height": height, "scale": 1 },
        });
        let shot = call(&self.page, "Page.captureScreenshot", parameters).await;
        let bytes = BASE64_STANDARD.decode(shot["data"].as_str().expect("a picture")).expect("base64");
        std::fs::write(file, bytes).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    }
}

const OVERFLOW: &str = "(() => {
    const width = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= width) return [];
    const scrolls = element => element && (getComputedStyle(element).overflowX !== 'visible' || scrolls(element.parentElement));
    const out = [...document.querySelectorAll('body *')]
        .filter(element => element.getBoundingClientRect().right > width + 1 && !scrolls(element.parentElement.closest('body *')));
    return out.slice(0, 10).map(element => `${element.tagName.toLowerCase()}.${element.className} ${(element.textContent ?? '').trim().slice(0, 40)}`);
})()";
