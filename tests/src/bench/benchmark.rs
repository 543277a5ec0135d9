//! All rows, one after the other, and again.

use std::{path::PathBuf, process::ExitCode, thread::available_parallelism, time::Duration};

use clap::{Parser, ValueEnum};

use super::{
    Failure,
    measure::{Figures, Lengths, measure},
    median::median,
    process::Programs,
    report::{Report, Run},
    row::{self, Row},
};

/// Measures the server against two limits of the same run, and writes a table and `bench.json`.
///
/// raw: publishers post straight to the receiver. relay: an event is kept in a file and forwarded, nothing else.
#[derive(Debug, Parser)]
#[command(name = "hw-bench")]
pub struct Benchmark {
    /// What to measure
    #[arg(value_enum, default_value_t = Part::All)]
    part: Part,
    /// 64 publishers and one receiver only, 3 seconds, once
    #[arg(long, conflicts_with = "part")]
    quick: bool,
    /// How long each row runs at full load [default: 5]
    #[arg(long)]
    seconds: Option<f64>,
    /// How often each row of the table is measured; told is the median [default: 5]
    #[arg(long)]
    repeat: Option<usize>,
    /// Only rows whose label contains one of these, such as `sqlite/slack`; the relay's rows they need come along
    #[arg(long, value_delimiter = ',', value_name = "LABEL")]
    rows: Vec<String>,
    /// Where the figures go [default: bench.json in the build folder]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    All,
    /// Limits, stores, plugins, fan-out
    Table,
    /// With 10 thousand and with 2 million deliveries stored
    Stored,
    /// One of ten receivers hangs
    Hanging,
    /// Another endpoint has a backlog of a million
    Backlog,
}

const WARM_UP: f64 = 1.0;

impl Benchmark {
    /// Runs it to its end; it fails if something was lost.
    pub async fn run(self) -> Result<ExitCode, Failure> {
        let programs = Programs::find()?;
        let seconds = self.seconds.unwrap_or(if self.quick { 3.0 } else { 5.0 });
        // Wrong lengths are told before anything starts.
        Duration::try_from_secs_f64(seconds)?;
        let repeat = self.repeat.unwrap_or(if self.quick { 1 } else { 5 }).max(1);
        let lengths = Lengths { warm_up: WARM_UP, full: seconds, half: (seconds / 2.0).max(2.0) };
        let mut report =
            Report { processors: available_parallelism().map_or(1, usize::from), seconds, repeat, runs: Vec::new() };
        for (part, repeat) in self.parts(repeat) {
            report.runs.extend(runs(&self.chosen(part), repeat, lengths, &programs).await?);
        }
        if report.runs.is_empty() {
            return Err("no row has such a label".into());
        }
        println!("{}", report.table());
        let out = self.out.unwrap_or_else(|| programs.target().join("bench.json"));
        report.write(&out)?;
        println!("written to {}", out.display());
        let lost: u64 = report.runs.iter().map(|run| run.figures.lost).sum();
        if lost > 0 { Err(format!("{lost} deliveries were lost").into()) } else { Ok(ExitCode::SUCCESS) }
    }

    /// The rows of each part and how often they are measured: filling a store takes too long to do it again.
    fn parts(&self, repeat: usize) -> Vec<(Vec<Row>, usize)> {
        if self.quick {
            return vec![(row::quick(), repeat)];
        }
        let all = [
            (Part::Table, row::table(), repeat),
            (Part::Stored, row::stored(), 1),
            (Part::Hanging, row::hanging(), repeat),
            (Part::Backlog, row::backlog(), 1),
        ];
        let wanted = all.into_iter().filter(|(part, ..)| [Part::All, *part].contains(&self.part));
        wanted.map(|(_, rows, repeat)| (rows, repeat)).collect()
    }

    /// The rows that the labels pick, each after the relay's row that it is measured by.
    fn chosen(&self, rows: Vec<Row>) -> Vec<Row> {
        let picked = |row: &Row| self.rows.is_empty() || self.rows.iter().any(|part| row.to_string().contains(part));
        let mut chosen: Vec<Row> = Vec::new();
        for row in rows.into_iter().filter(picked) {
            if row.is_server() && !chosen.contains(&row.relay()) {
                chosen.push(row.relay());
            }
            if !chosen.contains(&row) {
                chosen.push(row);
            }
        }
        chosen
    }
}

/// Measures the rows in turn, as often as asked, so that whatever drifts on the machine meets all of them.
async fn runs(rows: &[Row], repeat: usize, lengths: Lengths, programs: &Programs) -> Result<Vec<Run>, Failure> {
    let mut measured: Vec<Vec<Figures>> = vec![Vec::new(); rows.len()];
    for turn in 0..repeat {
        for (index, row) in rows.iter().enumerate() {
            let relay = rows.iter().position(|other| row.is_server() && *other == row.relay());
            let relay = relay.map(|index| &measured[index][turn]);
            let figures = measure(row, relay, lengths, programs).await?;
            eprintln!("{row}: {:.0} delivered/s ({} of {repeat})", figures.delivered_per_s, turn + 1);
            measured[index].push(figures);
        }
    }
    let median = |(row, figures): (&Row, Vec<Figures>)| Run { row: row.clone(), figures: median(&figures) };
    Ok(rows.iter().zip(measured).map(median).collect())
}
