//! A lead to the department that it is for, by the programs that the applicant chose.
//!
//! One webhook for each department: its URL is the department's, its configuration says which programs are
//! the department's, and where below the URL each of them goes.

mod body;

use std::collections::BTreeMap;

use hookwright_sdk::catalogue::{Known, LeadSubmitted};
use hookwright_sdk::text::{one_line, truncate, web_link};
use hookwright_sdk::{Event, Exchange, Failure, Outcome, Plugin, Request, Verdict, Webhook};
use serde::Deserialize;
use serde_json::Value;

/// What a webhook's owner may set; `plugin.toml` says the same to the form in the UI.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The department's programs, as leads name them.
    programs: BTreeMap<String, Route>,
    /// Where a lead goes that is for none of them; without it, such leads are skipped.
    otherwise: Option<Route>,
    /// From a field of the department to what it takes of the lead.
    #[serde(default = "body::usual")]
    fields: BTreeMap<String, body::Part>,
    /// How the fields are sent.
    #[serde(default)]
    format: Format,
}

/// Where a lead goes.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[derive(Default)]
struct Route {
    /// Below the department's URL, for example `intake/housing`.
    path: String,
    /// Further fields that are always the same.
    fields: BTreeMap<String, Value>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    #[default]
    Json,
    Form,
}

/// The plugin.
#[derive(Debug)]
pub struct LeadRouter;

impl Plugin for LeadRouter {
    type Config = Config;

    fn transform(event: &Event, config: &Config, _webhook: &Webhook) -> Result<Outcome, Failure> {
        let lead = match event.catalogue()? {
            Known::LeadSubmitted(lead) => lead,
            Known::Empty => return Ok(Outcome::skip("It was triggered without a lead.")),
            _ => return Ok(Outcome::skip(format!("Only leads are routed, and `{}` is none.", event.kind()))),
        };
        let routes = routes(&lead, config);
        if routes.is_empty() {
            return Ok(Outcome::skip(not_for_us(&lead, config)));
        }
        Ok(Outcome::deliver(routes.into_iter().map(|(route, programs)| send(event, &lead, route, &programs, config))))
    }

    fn interpret(exchange: &Exchange, _config: &Config) -> Verdict {
        let response = exchange.response();
        if response.status() == 409 {
            return Verdict::delivered().message("The department had this lead already.");
        }
        let named = response.reason(&["url", "link"]);
        let place = [Some(named.as_str()), response.header("location")]
            .into_iter()
            .flatten()
            .find_map(web_link)
            .filter(|url| !url.ends_with('…'));
        match place {
            Some(url) if response.status() < 300 => Verdict::delivered().link(url),
            _ => Verdict::by_status(),
        }
    }
}

/// Each place that the lead goes to, with the programs that lead there: the lead comes to no place twice.
fn routes<'a>(lead: &'a LeadSubmitted, config: &'a Config) -> Vec<(&'a Route, Vec<&'a str>)> {
    let mut routes: Vec<(&Route, Vec<&str>)> = Vec::new();
    for program in &lead.programs {
        let Some(route) = route(program, config) else { continue };
        match routes.iter_mut().find(|(known, _)| known.path == route.path) {
            Some((_, programs)) if programs.contains(&program.as_str()) => {}
            Some((_, programs)) => programs.push(program),
            None => routes.push((route, vec![program])),
        }
    }
    if let (true, Some(otherwise)) = (routes.is_empty(), &config.otherwise) {
        routes.push((otherwise, lead.programs.iter().map(String::as_str).collect()));
    }
    routes
}

/// People write the same program in many ways.
fn route<'a>(program: &str, config: &'a Config) -> Option<&'a Route> {
    let same = |name: &str| one_line(name).to_lowercase() == one_line(program).to_lowercase();
    config.programs.iter().find(|(name, _)| same(name)).map(|(_, route)| route)
}

fn send(event: &Event, lead: &LeadSubmitted, route: &Route, programs: &[&str], config: &Config) -> Request {
    let label = format!("lead {}: {}", lead.lead.id, programs.join(", "));
    let path = route.path.split('/').filter(|segment| !segment.is_empty());
    let request = Request::post().label(label).segments(path);
    let fields = body::fields(event, lead, route, programs, config);
    match config.format {
        Format::Json => request.json(&fields),
        Format::Form => request.form(fields.iter().flat_map(|(name, value)| body::as_form(name, value))),
    }
}

fn not_for_us(lead: &LeadSubmitted, config: &Config) -> String {
    let ours = config.programs.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
    let theirs = lead.programs.join(", ");
    let what = if theirs.trim().is_empty() { "The lead names no program" } else { "The lead is for other programs" };
    format!("{what} ({}); this department has: {}.", truncate(&one_line(&theirs), 200), truncate(&ours, 200))
}

hookwright_sdk::export!(LeadRouter, interpreting);
