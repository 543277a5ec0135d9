//! What is looked at before a plugin may be used, step by step, and how far it came.

use askama::Template;

use super::super::parts::{Status, Tone};

/// The steps in their order, and for each the codes of what fails there.
const STEPS: [(&str, &str, &[&str]); 6] = [
    ("Size", "The component and its parts keep to the limits.", &["plugin.too_large"]),
    (
        "Component and manifest",
        "It is a component, and says what it is.",
        &["plugin.not_a_component", "plugin.bad_manifest"],
    ),
    ("Imports and exports", "It asks for nothing but what plugins may have.", &["plugin.forbidden_import"]),
    (
        "Compiling",
        "In a process of its own, which may use only so much.",
        &["plugin.compile_limit", "plugin.interrupted"],
    ),
    ("Trial", "An instance is made and thrown away.", &[]),
    ("Golden cases", "Each of its own examples gives the requests that it must give.", &["plugin.case_failed"]),
];
/// Steps that are over before anything is stored.
const LOOKS: usize = 3;
/// Where what has no code of a step fails.
const TRIAL: usize = 4;

#[derive(Debug)]
struct Step {
    words: &'static str,
    what: &'static str,
    status: Status,
}

/// All steps.
#[derive(Debug, Template)]
#[template(path = "plugins/steps.html")]
pub(super) struct Steps(Vec<Step>);

impl askama::filters::HtmlSafe for Steps {}

impl Steps {
    fn new(status: impl Fn(usize) -> Status) -> Self {
        let step = |(index, (words, what, _)): (usize, &(&'static str, &'static str, _))| Step {
            words,
            what,
            status: status(index),
        };
        Self(STEPS.iter().enumerate().map(step).collect())
    }

    /// Of a version that is being checked.
    pub(super) fn checking() -> Self {
        Self::new(
            |index| {
                if index < LOOKS { Status::new(Tone::Good, "passed") } else { Status::new(Tone::Busy, "being done") }
            },
        )
    }

    /// Of one that may be used.
    pub(super) fn passed() -> Self {
        Self::new(|_| Status::new(Tone::Good, "passed"))
    }

    /// Of one that was refused for this.
    pub(super) fn refused(code: &str, message: &str) -> Self {
        let at = STEPS.iter().position(|(_, _, codes)| codes.contains(&code)).unwrap_or(TRIAL);
        Self::new(|index| match index.cmp(&at) {
            std::cmp::Ordering::Less => Status::new(Tone::Good, "passed"),
            std::cmp::Ordering::Equal => Status::new(Tone::Bad, "failed").because(message),
            std::cmp::Ordering::Greater => Status::new(Tone::Quiet, "not reached"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(steps: &Steps) -> Vec<String> {
        steps.0.iter().map(|step| step.status.to_string()).collect()
    }

    #[test]
    fn a_refusal_stands_at_its_step() {
        let shown = words(&Steps::refused("plugin.forbidden_import", "wasi:nothing is not offered"));
        assert!(shown[1].contains("passed") && shown[2].contains("wasi:nothing") && shown[3].contains("not reached"));
        let shown = words(&Steps::refused("plugin.crashed", "unreachable"));
        assert!(shown[3].contains("passed") && shown[4].contains("unreachable") && shown[5].contains("not reached"));
        assert!(words(&Steps::checking())[3].contains("being done"));
    }
}
