//! Every page at once: for everybody, of no great weight, and whatever stands in it.

use hookwright_tests::{
    browser::{Browser, NARROW, Scheme, Tab},
    company::{ADA, Company},
    server::Installation,
    site::{Place, outside, pages, sign_in},
    stage::Stage,
};

/// What a page and all that it needs may weigh, in bytes.
const WEIGHT_MAX: f64 = 150_000.0;

async fn every_page() -> (Stage, Browser, Tab, Vec<Place>) {
    let stage = Stage::on(Installation::new().with_gallery()).await;
    let company = Company::found(&stage.api, &stage.receiver).await;
    let browser = Browser::start().await;
    let tab = browser.tab(stage.server.url()).await;
    sign_in(&tab, ADA).await;
    let pages = pages(&stage.api, &company).await;
    (stage, browser, tab, pages)
}

#[tokio::test]
async fn every_page_is_for_everybody_and_light() {
    let (stage, browser, tab, pages) = every_page().await;
    let stranger = browser.stranger(stage.server.url()).await;
    let all = outside().into_iter().map(|place| (&stranger, place)).chain(pages.into_iter().map(|place| (&tab, place)));
    let mut wrong = Vec::new();
    for (tab, Place { name, path }) in all {
        let parts = tab.weigh(&path).await;
        let weight: f64 = parts.iter().map(|part| part.bytes).sum();
        if weight > WEIGHT_MAX {
            wrong.push(format!("{name} weighs {weight}: {parts:?}"));
        }
        let headings = tab.evaluate("document.querySelectorAll('h1').length").await;
        if headings != 1 {
            wrong.push(format!("{name} has {headings} main headings"));
        }
        for scheme in [Scheme::Light, Scheme::Dark] {
            tab.prefer(scheme).await;
            for barrier in tab.barriers().await {
                wrong.push(format!("{name} ({}): {barrier:#?}", scheme.as_str()));
            }
        }
        tab.resize(NARROW).await;
        for out in tab.overflow().await {
            wrong.push(format!("{name} is too wide: {out}"));
        }
        tab.resize(hookwright_tests::browser::WIDE).await;
        for problem in tab.problems() {
            wrong.push(format!("{name}: {problem}"));
        }
        let broken: Vec<_> = parts.iter().skip(1).filter(|part| part.status >= 400).collect();
        if !broken.is_empty() {
            wrong.push(format!("{name} asks for what there is not: {broken:?}"));
        }
        tab.forget();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn every_page_is_there_without_scripts() {
    let (_stage, _browser, tab, pages) = every_page().await;
    tab.scripts(false).await;
    for Place { name, path } in pages {
        tab.goto(&path).await;
        assert!(!tab.all("heading", "...").await.is_empty(), "{name}");
        // What does something by a script alone is not shown, or does nothing.
        let dead = tab.evaluate("[...document.querySelectorAll('button[type=button]')].filter(button => button.offsetParent !== null).map(button => button.textContent.trim()).join(', ')").await;
        assert_eq!(dead, "", "{name}");
    }
    tab.is_clean().await;
}
