//! What is told: the tables for people, `bench.json` for programs.

use std::{fmt, fs, path::Path};

use serde::Serialize;

use super::{
    Failure,
    measure::Figures,
    pages::Pages,
    plugins::Plugins,
    row::{Part, Row},
};

/// Everything that was measured.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) processors: usize,
    pub(super) seconds: f64,
    /// Each figure is the median of so many.
    pub(super) repeat: usize,
    pub(super) runs: Vec<Run>,
    pub(super) plugins: Option<Plugins>,
    pub(super) pages: Vec<Pages>,
}

/// One row.
#[derive(Debug, Serialize)]
pub(super) struct Run {
    pub(super) part: Part,
    #[serde(flatten)]
    pub(super) row: Row,
    #[serde(flatten)]
    pub(super) figures: Figures,
}

type Column = (&'static str, fn(&Run) -> String);

const COLUMNS: [Column; 15] = [
    ("accepted/s", |run| format!("{:.0}", run.figures.accepted_per_s)),
    ("delivered/s", |run| format!("{:.0}", run.figures.delivered_per_s)),
    ("of relay", |run| or_dash(run.figures.ratio_to_relay.map(percent))),
    ("of base", |run| or_dash(run.figures.ratio_to_base.map(percent))),
    ("+p50 ms", |run| or_dash(run.figures.added_p50_us.map(ms))),
    ("+p95 ms", |run| or_dash(run.figures.added_p95_us.map(ms))),
    ("+p99 ms", |run| or_dash(run.figures.added_p99_us.map(ms))),
    ("cpu s", |run| or_dash(run.figures.cpu_seconds.map(seconds))),
    ("db cpu s", |run| or_dash(run.figures.database_cpu_seconds.map(seconds))),
    ("MB", |run| or_dash(run.figures.memory_bytes.map(megabytes))),
    ("db MB", |run| or_dash(run.figures.database_memory_bytes.map(megabytes))),
    ("commits/msg", |run| or_dash(run.figures.commits_per_message.map(|commits| format!("{commits:.3}")))),
    ("errors", |run| run.figures.errors.to_string()),
    ("lost", |run| run.figures.lost.to_string()),
    ("repeated", |run| run.figures.repeated.to_string()),
];
const LABEL: &str = "store/plugin/receivers/publishers";
/// More than this of the machine taken by others is told.
const OTHERS_MAX: f64 = 0.1;

impl Report {
    pub(super) fn write(&self, file: &Path) -> Result<(), Failure> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        Ok(fs::write(file, text)?)
    }

    pub(super) fn lost(&self) -> u64 {
        self.runs.iter().map(|run| run.figures.lost).sum()
    }

    /// Rows while which something else had more than a little of the machine.
    fn disturbed(&self) -> impl Iterator<Item = &Run> {
        let processors = f64::from(u32::try_from(self.processors).unwrap_or(u32::MAX));
        self.runs
            .iter()
            .filter(move |Run { figures, .. }| figures.others_cpu_seconds > OTHERS_MAX * figures.seconds * processors)
    }
}

/// A table with a line for each row, those of the second part below.
impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (usual, special): (Vec<&Run>, Vec<&Run>) = self.runs.iter().partition(|run| run.part == Part::Table);
        for runs in [usual, special] {
            if !runs.is_empty() {
                table(&runs, formatter)?;
            }
        }
        if let Some(plugins) = &self.plugins {
            writeln!(formatter, "{plugins}")?;
        }
        for pages in &self.pages {
            writeln!(formatter, "{pages}")?;
        }
        for run in self.disturbed() {
            let used = run.figures.others_cpu_seconds / run.figures.seconds;
            writeln!(formatter, "{}: something else used {used:.1} of {} processors", run.row, self.processors)?;
        }
        Ok(())
    }
}

fn table(runs: &[&Run], formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
    let label = runs.iter().map(|run| run.row.to_string().len()).chain([LABEL.len()]).max().unwrap_or_default();
    write!(formatter, "{LABEL:label$}")?;
    let widths = COLUMNS.map(|(head, cell)| runs.iter().map(|run| cell(run).len()).fold(head.len(), usize::max));
    for ((head, _), width) in COLUMNS.iter().zip(widths) {
        write!(formatter, "  {head:>width$}")?;
    }
    writeln!(formatter)?;
    for run in runs {
        write!(formatter, "{:label$}", run.row.to_string())?;
        for ((_, cell), width) in COLUMNS.iter().zip(widths) {
            write!(formatter, "  {:>width$}", cell(run))?;
        }
        writeln!(formatter)?;
    }
    writeln!(formatter)
}

fn or_dash(cell: Option<String>) -> String {
    cell.unwrap_or_else(|| "-".to_owned())
}

fn percent(ratio: f64) -> String {
    format!("{:.0} %", ratio * 100.0)
}

fn seconds(seconds: f64) -> String {
    format!("{seconds:.2}")
}

fn ms(us: i64) -> String {
    format!("{}{}.{:02}", if us < 0 { "-" } else { "" }, us.abs() / 1000, us.abs() % 1000 / 10)
}

fn megabytes(bytes: u64) -> String {
    (bytes / 1_000_000).to_string()
}
