//! What one run logs, kept within its limits.

use std::collections::VecDeque;

use super::LogLine;
use super::limits::RunLimits;

/// The level of what went wrong.
const ERROR: &str = "error";
/// How many lines of that level are at hand when a run ends badly, whether the log had room for them or not.
const ERRORS_KEPT: usize = 24;

/// The log of one run.
#[derive(Debug)]
pub(super) struct Log {
    lines: Vec<LogLine>,
    errors: VecDeque<String>,
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
            errors: VecDeque::new(),
            bytes: 0,
            dropped: 0,
            lines_max: limits.log_lines,
            line_bytes_max: limits.log_line_bytes,
            bytes_max: limits.log_bytes,
        }
    }

    /// Keeps a line, cut where it is too long; drops it when there is no room for more.
    pub(super) fn push(&mut self, level: &'static str, message: String) {
        let mut message = message;
        cut(&mut message, self.line_bytes_max);
        if level == ERROR {
            if self.errors.len() == ERRORS_KEPT {
                self.errors.pop_front();
            }
            self.errors.push_back(message.clone());
        }
        let room = self.bytes_max - self.bytes;
        if self.lines.len() >= self.lines_max || room == 0 {
            self.dropped = self.dropped.saturating_add(1);
            return;
        }
        cut(&mut message, room);
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

    /// The last lines of the level `error`, dropped ones among them, the oldest first.
    pub(super) fn errors(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.errors.iter().map(String::as_str)
    }
}

fn cut(text: &mut String, most: usize) {
    if text.len() > most {
        let end = (0..=most).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::PluginConfig;

    #[test]
    fn the_last_errors_are_at_hand_when_the_log_is_full() {
        let limits = RunLimits { log_lines: 2, log_line_bytes: 4, ..RunLimits::from(&PluginConfig::default()) };
        let mut log = Log::new(&limits);
        log.push("info", "hello".to_owned());
        for number in 0..=ERRORS_KEPT {
            log.push(ERROR, format!("{number}: long"));
        }
        let errors: Vec<_> = log.errors().collect();
        assert_eq!((errors.len(), errors[0], errors[ERRORS_KEPT - 1]), (ERRORS_KEPT, "1: l", "24: "));
        let (lines, dropped) = log.into_lines();
        let messages: Vec<_> = lines.iter().map(|line| line.message.as_str()).collect();
        assert_eq!((messages, dropped), (vec!["hell", "0: l"], 24));
    }
}
