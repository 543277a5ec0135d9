//! A project in Python: pip brings the compiler, into a folder of the project.

use std::path::Path;
use std::process::Command;

use super::{say, tool, version};
use crate::cli::Failure;
use crate::domain::plugin::Digest;

/// The oldest Python that the compiler runs on.
const OLDEST: (u32, u32) = (3, 10);
/// What was installed, by its digest.
pub(super) const INSTALLED: &str = "venv/installed";

pub(super) fn build(folder: &Path) -> Result<(), Failure> {
    let wanted = Digest::of(&std::fs::read(folder.join("requirements.txt"))?).to_string();
    let installed = folder.join(INSTALLED);
    if std::fs::read_to_string(&installed).ok().as_ref() != Some(&wanted) {
        install(folder)?;
        std::fs::write(&installed, wanted)?;
    }
    let compiler = std::path::absolute(folder.join("venv/bin/hookwright-componentize"))?;
    let ran = tool(&mut Command::new(&compiler), folder).map_err(|error| {
        format!("{} cannot be run ({error}); requirements.txt must name the SDK", compiler.display())
    })?;
    if ran { Ok(()) } else { Err("the plugin does not compile; the compiler says why above".into()) }
}

fn install(folder: &Path) -> Result<(), Failure> {
    let lacking = |what: &str| {
        let (major, minor) = OLDEST;
        format!(
            "a plugin in Python is built by Python {major}.{minor} or later with venv, and {what}; https://www.python.org says \
             how to get it (on Debian: apt-get install python3 python3-venv)"
        )
    };
    match version(Path::new("python3")) {
        None => return Err(lacking("`python3` is not here").into()),
        Some(found) if found < OLDEST => {
            return Err(lacking(&format!("`python3` is version {}.{}", found.0, found.1)).into());
        }
        Some(_) => {}
    }
    say("installing what requirements.txt names into the folder venv (pip install)");
    if !tool(Command::new("python3").args(["-m", "venv", "venv"]), folder)? {
        return Err(lacking("it cannot make the folder venv").into());
    }
    let pip = std::path::absolute(folder.join("venv/bin/pip"))?;
    let mut install = Command::new(pip);
    install.args([
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--upgrade",
        "--requirement",
        "requirements.txt",
    ]);
    if tool(&mut install, folder)? {
        Ok(())
    } else {
        Err("pip cannot install what requirements.txt names; it says why above".into())
    }
}
