//! Streams: no input, and output that goes to the run's log line by line.

use wasmtime::component::{ComponentType, Lift, LinkerInstance, Lower, Resource};
use wasmtime::{Result, StoreContextMut};

use super::WithWasi;
use super::clocks::Pollable;
use crate::sandbox::log::Log;

/// Most bytes that a stream takes at once.
const WRITE_BYTES_MAX: u64 = 64 * 1024;

/// A stream that is at its end.
#[derive(Debug)]
pub(super) enum InputStream {}
/// One of the two streams of output.
#[derive(Debug)]
pub(super) enum OutputStream {}
/// Why a stream failed, which here none does.
#[derive(Debug)]
pub(super) enum StreamFault {}

/// `wasi:io/streams`'s.
#[derive(Debug, ComponentType, Lift, Lower)]
#[component(variant)]
enum StreamError {
    #[component(name = "last-operation-failed")]
    Failed(Resource<StreamFault>),
    #[component(name = "closed")]
    Closed,
}

/// Which of the streams of output: how they are told apart, and the level of their lines.
const STDOUT: (u32, &str) = (1, "info");
const STDERR: (u32, &str) = (2, "error");

/// Lines that are not ended yet.
#[derive(Debug, Default)]
pub(super) struct Output {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl Output {
    fn write(&mut self, stream: u32, bytes: &[u8], log: &mut Log) {
        let (line, level) =
            if stream == STDERR.0 { (&mut self.stderr, STDERR.1) } else { (&mut self.stdout, STDOUT.1) };
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let text = piece.strip_suffix(b"\n").unwrap_or(piece);
            // What the log would cut is not kept; the few bytes more are those of a character that is cut.
            let room = (log.line_bytes_max() + 4).saturating_sub(line.len());
            line.extend_from_slice(&text[..text.len().min(room)]);
            if text.len() < piece.len() {
                log.push(level, String::from_utf8_lossy(line).into_owned());
                line.clear();
            }
        }
    }

    pub(super) fn finish(&mut self, log: &mut Log) {
        for (line, level) in [(&mut self.stdout, STDOUT.1), (&mut self.stderr, STDERR.1)] {
            if !line.is_empty() {
                log.push(level, String::from_utf8_lossy(&std::mem::take(line)).into_owned());
            }
        }
    }
}

pub(super) fn offer<T: WithWasi>(linker: &mut LinkerInstance<'_, T>, interface: &str, name: &str) -> Result<bool> {
    Ok(match interface {
        "cli/stdin" | "cli/stdout" | "cli/stderr" => standard(linker, name)?,
        "io/streams" => input(linker, name)? || output(linker, name)?,
        "io/error" => fault(linker, name)?,
        _ => false,
    })
}

fn standard<T: WithWasi>(linker: &mut LinkerInstance<'_, T>, name: &str) -> Result<bool> {
    type Cx<'a, T> = StoreContextMut<'a, T>;
    match name {
        "get-stdin" => {
            linker.func_wrap(name, |_: Cx<'_, T>, (): ()| Ok((Resource::<InputStream>::new_own(0),)))?;
        }
        "get-stdout" => {
            linker.func_wrap(name, |_: Cx<'_, T>, (): ()| Ok((Resource::<OutputStream>::new_own(STDOUT.0),)))?;
        }
        "get-stderr" => {
            linker.func_wrap(name, |_: Cx<'_, T>, (): ()| Ok((Resource::<OutputStream>::new_own(STDERR.0),)))?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn input<T: WithWasi>(linker: &mut LinkerInstance<'_, T>, name: &str) -> Result<bool> {
    type Cx<'a, T> = StoreContextMut<'a, T>;
    type In = Resource<InputStream>;
    match name {
        "[method]input-stream.read" | "[method]input-stream.blocking-read" => {
            linker.func_wrap(name, |_: Cx<'_, T>, (_, _): (In, u64)| Ok((Err::<Vec<u8>, _>(StreamError::Closed),)))?;
        }
        "[method]input-stream.skip" | "[method]input-stream.blocking-skip" => {
            linker.func_wrap(name, |_: Cx<'_, T>, (_, _): (In, u64)| Ok((Err::<u64, _>(StreamError::Closed),)))?;
        }
        "[method]input-stream.subscribe" => {
            linker.func_wrap(name, |mut cx: Cx<'_, T>, (_,): (In,)| Ok((cx.data_mut().wasi().0.ready()?,)))?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn output<T: WithWasi>(linker: &mut LinkerInstance<'_, T>, name: &str) -> Result<bool> {
    type Cx<'a, T> = StoreContextMut<'a, T>;
    type Out = Resource<OutputStream>;
    type Written = (std::result::Result<(), StreamError>,);
    match name {
        "[method]output-stream.check-write" => {
            linker.func_wrap(name, |_: Cx<'_, T>, (_,): (Out,)| Ok((Ok::<_, StreamError>(WRITE_BYTES_MAX),)))?;
        }
        "[method]output-stream.write" | "[method]output-stream.blocking-write-and-flush" => {
            linker.func_wrap(name, |mut cx: Cx<'_, T>, (stream, bytes): (Out, Vec<u8>)| {
                let (wasi, log) = cx.data_mut().wasi();
                wasi.output.write(stream.rep(), &bytes, log);
                Ok::<Written, _>((Ok(()),))
            })?;
        }
        "[method]output-stream.write-zeroes" | "[method]output-stream.blocking-write-zeroes-and-flush" => {
            linker.func_wrap(name, |_: Cx<'_, T>, (_, _): (Out, u64)| Ok::<Written, _>((Ok(()),)))?;
        }
        "[method]output-stream.flush" | "[method]output-stream.blocking-flush" => {
            linker.func_wrap(name, |_: Cx<'_, T>, (_,): (Out,)| Ok::<Written, _>((Ok(()),)))?;
        }
        "[method]output-stream.subscribe" => {
            linker.func_wrap(name, |mut cx: Cx<'_, T>, (_,): (Out,)| {
                let ready: Resource<Pollable> = cx.data_mut().wasi().0.ready()?;
                Ok((ready,))
            })?;
        }
        "[method]output-stream.splice" | "[method]output-stream.blocking-splice" => {
            linker.func_wrap(name, |_: Cx<'_, T>, (_, _, _): (Out, Resource<InputStream>, u64)| {
                Ok((Err::<u64, _>(StreamError::Closed),))
            })?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn fault<T: WithWasi>(linker: &mut LinkerInstance<'_, T>, name: &str) -> Result<bool> {
    if name != "[method]error.to-debug-string" {
        return Ok(false);
    }
    linker.func_wrap(name, |_: StoreContextMut<'_, T>, (_,): (Resource<StreamFault>,)| Ok((String::new(),)))?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::PluginConfig;
    use crate::sandbox::limits::RunLimits;

    #[test]
    fn output_becomes_lines_and_what_is_left_at_the_end_one_more() {
        let limits = RunLimits { log_line_bytes: 4, ..RunLimits::from(&PluginConfig::default()) };
        let (mut output, mut log) = (Output::default(), Log::new(&limits));
        for (stream, bytes) in [(STDOUT.0, "a\nb"), (STDERR.0, "oh"), (STDOUT.0, "c\n\nlong"), (STDOUT.0, "er still")] {
            output.write(stream, bytes.as_bytes(), &mut log);
        }
        output.finish(&mut log);
        let (lines, _) = log.into_lines();
        let lines: Vec<_> = lines.iter().map(|line| (line.level.as_str(), line.message.as_str())).collect();
        assert_eq!(lines, [("info", "a"), ("info", "bc"), ("info", ""), ("info", "long"), ("error", "oh")]);
    }
}
