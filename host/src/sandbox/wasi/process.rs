//! What a process would have: none of it, and no way out but to return.

use wasmtime::component::{LinkerInstance, Resource};
use wasmtime::{Error, Result, StoreContextMut};

use super::{Absent, Ended, WithWasi};

pub(super) fn offer<T: WithWasi>(linker: &mut LinkerInstance<'_, T>, interface: &str, name: &str) -> Result<bool> {
    type Cx<'a, T> = StoreContextMut<'a, T>;
    type Pairs = Vec<(String, String)>;
    match (interface, name) {
        ("cli/environment", "get-environment") => {
            linker.func_wrap(name, |_: Cx<'_, T>, (): ()| Ok((Pairs::new(),)))?;
        }
        ("cli/environment", "get-arguments") => {
            linker.func_wrap(name, |_: Cx<'_, T>, (): ()| Ok((Vec::<String>::new(),)))?;
        }
        ("cli/environment", "initial-cwd") => {
            linker.func_wrap(name, |_: Cx<'_, T>, (): ()| Ok((None::<String>,)))?;
        }
        ("cli/terminal-stdin" | "cli/terminal-stdout" | "cli/terminal-stderr", _) => {
            linker.func_wrap(name, |_: Cx<'_, T>, (): ()| Ok((None::<Resource<Absent>>,)))?;
        }
        ("cli/exit", "exit") => {
            linker.func_wrap(name, |_: Cx<'_, T>, (_,): (std::result::Result<(), ()>,)| {
                Err::<(), _>(Error::new(Ended::Exit))
            })?;
        }
        ("cli/exit", "exit-with-code") => {
            linker.func_wrap(name, |_: Cx<'_, T>, (_,): (u8,)| Err::<(), _>(Error::new(Ended::Exit)))?;
        }
        ("filesystem/preopens", "get-directories") => {
            linker.func_wrap(name, |_: Cx<'_, T>, (): ()| Ok((Vec::<(Resource<Absent>, String)>::new(),)))?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}
