//! What is told: the table for people, `bench.json` for programs.

use std::{fmt::Write as _, fs, path::Path};

use serde::Serialize;

use super::{Failure, measure::Figures, row::Row};

/// Everything that was measured.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) processors: usize,
    pub(super) seconds: f64,
    /// Each figure is the median of so many.
    pub(super) repeat: usize,
    pub(super) runs: Vec<Run>,
}

/// One row.
#[derive(Debug, Serialize)]
pub(super) struct Run {
    #[serde(flatten)]
    pub(super) row: Row,
    #[serde(flatten)]
    pub(super) figures: Figures,
}

const HEADS: [&str; 15] = [
    "store/plugin/fan-out/publishers",
    "accepted/s",
    "delivered/s",
    "of relay",
    "+p50 ms",
    "+p95 ms",
    "+p99 ms",
    "cpu s",
    "db cpu s",
    "MB",
    "db MB",
    "commits/msg",
    "errors",
    "lost",
    "repeated",
];

impl Report {
    pub(super) fn write(&self, file: &Path) -> Result<(), Failure> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        Ok(fs::write(file, text)?)
    }

    /// The table with a line for each row.
    pub(super) fn table(&self) -> String {
        let lines: Vec<[String; 15]> = self.runs.iter().map(Run::cells).collect();
        let mut widths = HEADS.map(str::len);
        for line in &lines {
            for (width, cell) in widths.iter_mut().zip(line) {
                *width = cell.len().max(*width);
            }
        }
        let mut text = String::new();
        for line in std::iter::once(HEADS.map(str::to_owned)).chain(lines) {
            let [label, figures @ ..] = line;
            let _ = write!(text, "{label:0$}", widths[0]);
            for (cell, width) in figures.iter().zip(&widths[1..]) {
                let _ = write!(text, "  {cell:>width$}");
            }
            text.push('\n');
        }
        text
    }
}

impl Run {
    fn cells(&self) -> [String; 15] {
        let Figures { lost, repeated, errors, .. } = self.figures;
        let it = &self.figures;
        [
            self.row.to_string(),
            format!("{:.0}", it.accepted_per_s),
            format!("{:.0}", it.delivered_per_s),
            or_dash(it.ratio_to_relay.map(|ratio| format!("{:.0} %", ratio * 100.0))),
            or_dash(it.added_p50_us.map(ms)),
            or_dash(it.added_p95_us.map(ms)),
            or_dash(it.added_p99_us.map(ms)),
            or_dash(it.cpu_seconds.map(|seconds| format!("{seconds:.2}"))),
            or_dash(it.database_cpu_seconds.map(|seconds| format!("{seconds:.2}"))),
            or_dash(it.memory_bytes.map(megabytes)),
            or_dash(it.database_memory_bytes.map(megabytes)),
            or_dash(it.commits_per_message.map(|commits| format!("{commits:.3}"))),
            errors.to_string(),
            lost.to_string(),
            repeated.to_string(),
        ]
    }
}

fn or_dash(cell: Option<String>) -> String {
    cell.unwrap_or_else(|| "-".to_owned())
}

fn ms(us: i64) -> String {
    format!("{}{}.{:02}", if us < 0 { "-" } else { "" }, us.abs() / 1000, us.abs() % 1000 / 10)
}

fn megabytes(bytes: u64) -> String {
    (bytes / 1_000_000).to_string()
}
