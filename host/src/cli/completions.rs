//! `hookwright completions`: for shells.

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::{Cli, Failure};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hookwright completions bash > /etc/bash_completion.d/hookwright
  hookwright completions zsh > ~/.zfunc/_hookwright
  hookwright completions fish > ~/.config/fish/completions/hookwright.fish")]
pub(super) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

pub(super) fn run(args: &CompletionsArgs) -> Result<ExitCode, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "hookwright", &mut script);
    std::io::stdout().lock().write_all(&script)?;
    Ok(ExitCode::SUCCESS)
}
