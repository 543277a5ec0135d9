//! `make screenshots`: every page with realistic data, wide and narrow, light and dark.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::Parser;

use crate::{
    browser::{Browser, NARROW, Scheme, Tab, WIDE},
    company::{ADA, Company},
    server::Installation,
    site::{Place, outside, pages, sign_in},
    stage::Stage,
};

/// Makes a screenshot of every page of the web UI.
#[derive(Debug, Parser)]
#[command(name = "hw-screenshots")]
pub struct Pictures {
    /// Where they go [default: target/screenshots]
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Only pages whose name begins with one of these
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    pages: Vec<String>,
}

impl Pictures {
    /// Makes all of them; says what reaches out of its page.
    pub async fn make(self) {
        let folder = self.out.clone().unwrap_or_else(usual_folder);
        fs::create_dir_all(&folder).expect("the folder can be made");
        let stage = Stage::on(Installation::new().with_gallery()).await;
        let browser = Browser::start().await;
        let tab = browser.tab(stage.server.url()).await;
        let (fresh, others): (Vec<_>, Vec<_>) = outside().into_iter().partition(|place| place.name == "setup");
        self.shoot(&tab, &fresh, &folder).await;
        println!("filling the server");
        let company = Company::found(&stage.api, &stage.receiver).await;
        self.shoot(&tab, &others, &folder).await;
        sign_in(&tab, ADA).await;
        self.shoot(&tab, &pages(&stage.api, &company).await, &folder).await;
        println!("written to {}", folder.display());
    }

    async fn shoot(&self, tab: &Tab, places: &[Place], folder: &Path) {
        let wanted =
            |place: &&Place| self.pages.is_empty() || self.pages.iter().any(|name| place.name.starts_with(name));
        for place in places.iter().filter(wanted) {
            println!("{}", place.name);
            for (width, size) in [("wide", WIDE), ("narrow", NARROW)] {
                tab.resize(size).await;
                for scheme in [Scheme::Light, Scheme::Dark] {
                    tab.prefer(scheme).await;
                    tab.goto(&place.path).await;
                    tab.picture(&folder.join(format!("{}-{width}-{}.png", place.name, scheme.as_str()))).await;
                }
                for out in tab.overflow().await {
                    println!("  reaches out ({width}): {out}");
                }
            }
            for problem in tab.problems() {
                println!("  {problem}");
            }
            tab.forget();
        }
    }
}

fn usual_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/screenshots")
}
