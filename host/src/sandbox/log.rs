//! What one run logs, kept within its limits.

use super::LogLine;
use super::limits::RunLimits;

/// The log of one run.
#[derive(Debug)]
pub(super) struct Log {
    lines: Vec<LogLine>,
    bytes: usize,
    dropped: u32,
    lines_max: usize,
    line_bytes_max: usize,
    bytes_max: usize,
}

impl Log {
    pub(super) fn new(limits: &RunLimits) -> Self {
        Self {
            lines: Vec::new(),
            bytes: 0,
            dropped: 0,
            lines_max: limits.log_lines,
            line_bytes_max: limits.log_line_bytes,
            bytes_max: limits.log_bytes,
        }
    }

    /// Keeps a line, cut where it is too long; drops it when there is no room for more.
    pub(super) fn push(&mut self, level: &'static str, message: String) {
        let room = self.bytes_max - self.bytes;
        if self.lines.len() >= self.lines_max || room == 0 {
            self.dropped = self.dropped.saturating_add(1);
            return;
        }
        let mut message = message;
        let max = self.line_bytes_max.min(room);
        if message.len() > max {
            let end = (0..=max).rev().find(|end| message.is_char_boundary(*end)).unwrap_or(0);
            message.truncate(end);
        }
        self.bytes += message.len();
        self.lines.push(LogLine { level: level.to_owned(), message });
    }

    /// Most bytes of a line.
    pub(super) const fn line_bytes_max(&self) -> usize {
        self.line_bytes_max
    }

    /// The lines, and how many were dropped.
    pub(super) fn into_lines(self) -> (Vec<LogLine>, u32) {
        (self.lines, self.dropped)
    }

    pub(super) fn lines(&self) -> &[LogLine] {
        &self.lines
    }
}
