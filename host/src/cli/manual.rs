//! Every command is in the guide, and shows by examples how it is used.

use clap::{Command, CommandFactory as _};

use super::Cli;

const GUIDE: &str = include_str!("../../../docs/COMMANDS.md");

/// Commands that do something, with their full names.
fn leaves(command: &Command, name: &str, found: &mut Vec<(String, Command)>) {
    let mut inner =
        command.get_subcommands().filter(|inner| !inner.is_hide_set() && inner.get_name() != "help").peekable();
    if inner.peek().is_none() {
        found.push((name.to_owned(), command.clone()));
    }
    for inner in inner {
        leaves(inner, &format!("{name} {}", inner.get_name()), found);
    }
}

fn all() -> Vec<(String, Command)> {
    let mut found = Vec::new();
    let mut command = Cli::command();
    command.build();
    leaves(&command, "hookwright", &mut found);
    found
}

#[test]
fn every_command_stands_in_the_guide() {
    let named = |name: &str| GUIDE.contains(&format!("`{name}`")) || GUIDE.contains(&format!("`{name} "));
    let missing: Vec<String> = all().into_iter().map(|(name, _)| name).filter(|name| !named(name)).collect();
    assert!(missing.is_empty(), "docs/COMMANDS.md lacks {missing:#?}");
}

#[test]
fn the_guide_names_no_command_that_there_is_not() {
    let known: Vec<String> = all().into_iter().map(|(name, _)| name).collect();
    for line in GUIDE.lines().filter(|line| line.starts_with("| `hookwright ")) {
        let name = line.trim_start_matches("| `").split('`').next().unwrap();
        let is_known = known.iter().any(|known| name == known || name.starts_with(&format!("{known} ")));
        assert!(is_known, "{name}");
    }
}

#[test]
fn every_command_has_examples() {
    for (name, command) in all() {
        let help = command.clone().render_long_help().to_string();
        assert!(help.contains("Example"), "{name} has no examples in its help");
        assert!(
            help.contains(&format!("\n  {name}")) || help.contains(&format!("| {name}")),
            "{name}: its examples are another's"
        );
    }
}

#[test]
fn every_argument_says_what_it_is() {
    for (name, command) in all() {
        for argument in command.get_arguments() {
            assert!(argument.get_help().is_some(), "{name}: {}", argument.get_id());
        }
    }
}

#[test]
fn no_help_shows_a_token() {
    for (name, command) in all() {
        for argument in command.get_arguments() {
            let is_secret = matches!(argument.get_id().as_str(), "token" | "password");
            assert!(!is_secret || argument.get_env().is_none(), "{name} would show {}", argument.get_id());
        }
    }
}
