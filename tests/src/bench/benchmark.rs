//! All rows, one after the other, and again.

use std::{path::PathBuf, process::ExitCode, thread::available_parallelism, time::Duration};

use clap::Parser;

use super::{
    Failure,
    measure::{Figures, measure},
    median::median,
    pages::Pages,
    plugins::Plugins,
    report::{Report, Run},
    row::{self, Part, Row, Store},
    setting::{Lengths, Setting},
    stock::Stock,
};

/// Measures the server against two limits of the same run, and writes a table and `bench.json`.
///
/// raw: publishers post straight to the receiver. relay: an event is kept in a file and forwarded, nothing else. With
/// every row of a server the relay is measured again, before and after it.
#[derive(Debug, Parser)]
#[command(name = "hw-bench", after_help = EXAMPLES)]
pub struct Benchmark {
    /// What to measure [default: all]
    #[arg(value_enum)]
    part: Option<Part>,
    /// 64 publishers and one receiver only, for 2 seconds, once: about a minute
    #[arg(long, conflicts_with = "part")]
    quick: bool,
    /// How long each row runs at full load [default: 4]
    #[arg(long)]
    seconds: Option<f64>,
    /// How often each row is measured; told is the median [default: 5]
    #[arg(long)]
    repeat: Option<usize>,
    /// Only rows whose label contains one of these
    #[arg(long, value_delimiter = ',', value_name = "LABEL")]
    rows: Vec<String>,
    /// Only say which rows there are
    #[arg(long)]
    list: bool,
    /// Where the figures go [default: bench.json in the build folder]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples, through make:
  make bench                                            everything, five times: about an hour
  make bench BENCH=--quick                              in a minute
  make bench BENCH=table                                without the second part
  make bench BENCH=plugins                              what plugins cost: in a minute
  make bench BENCH=pages                                how long pages take with a million deliveries stored
  make bench BENCH='--rows sqlite/slack,postgres/slack' rows whose label contains that
  make bench BENCH='stored --rows sqlite --repeat 1'    10 thousand and 2 million deliveries stored, on SQLite
  make bench BENCH=--list                               the labels: store/plugin/receivers/publishers";

const WARM_UP: f64 = 1.0;
const HALF_MIN: f64 = 2.0;

impl Benchmark {
    /// Runs it to its end; it fails if something was lost.
    pub async fn run(self) -> Result<ExitCode, Failure> {
        let seconds = self.seconds.unwrap_or(if self.quick { 2.0 } else { 4.0 });
        // Wrong lengths are told before anything starts.
        Duration::try_from_secs_f64(seconds)?;
        let repeat = self.repeat.unwrap_or(if self.quick { 1 } else { 5 }).max(1);
        let groups: Vec<(Part, Vec<Row>)> =
            self.groups().into_iter().map(|(part, rows)| (part, self.chosen(rows))).collect();
        // They have no label.
        let with_plugins = self.rows.is_empty() && self.part.is_none_or(|part| part == Part::Plugins);
        let with_pages = self.rows.is_empty() && self.part.is_none_or(|part| part == Part::Pages) && !self.quick;
        if groups.iter().all(|(_, rows)| rows.is_empty()) && !with_plugins && !with_pages {
            return Err("no row has such a label; --list tells all".into());
        }
        if self.list {
            groups.iter().flat_map(|(_, rows)| rows).for_each(|row| println!("{row}"));
            return Ok(ExitCode::SUCCESS);
        }
        let setting = Setting::new(Lengths { warm_up: WARM_UP, full: seconds, half: (seconds / 2.0).max(HALF_MIN) })?;
        let mut report = Report {
            processors: available_parallelism().map_or(1, usize::from),
            seconds,
            repeat,
            runs: Vec::new(),
            plugins: None,
            pages: Vec::new(),
        };
        if with_plugins {
            report.plugins = Some(Plugins::measure(repeat, &setting).await?);
        }
        if with_pages {
            report.pages = Pages::measure(&setting).await?;
        }
        for (part, rows) in groups {
            report.runs.extend(runs(part, &rows, repeat, &setting).await?);
        }
        println!("{report}");
        let out = self.out.unwrap_or_else(|| setting.programs.target().join("bench.json"));
        report.write(&out)?;
        println!("written to {}", out.display());
        let lost = report.lost();
        if lost > 0 { Err(format!("{lost} deliveries were lost").into()) } else { Ok(ExitCode::SUCCESS) }
    }

    /// Rows that are measured in turn. What is stored for them is there as long as their group is.
    fn groups(&self) -> Vec<(Part, Vec<Row>)> {
        if self.quick {
            return vec![(Part::Table, row::quick())];
        }
        let mut groups = vec![(Part::Table, row::table())];
        for store in [Store::Sqlite, Store::Postgres] {
            groups.push((Part::Stored, row::stored(store)));
            groups.push((Part::Hanging, row::hanging(store)));
            groups.push((Part::Backlog, row::backlog(store)));
            groups.push((Part::Removing, row::removing(store)));
        }
        groups.retain(|(part, _)| self.part.is_none_or(|wanted| wanted == *part));
        groups
    }

    /// The rows that the labels pick, and those that they are compared with.
    fn chosen(&self, rows: Vec<Row>) -> Vec<Row> {
        let picked = |row: &Row| self.rows.is_empty() || self.rows.iter().any(|part| row.to_string().contains(part));
        let mut chosen: Vec<Row> = Vec::new();
        for row in rows.into_iter().filter(picked) {
            for row in row.base().into_iter().chain([row]) {
                if !chosen.contains(&row) {
                    chosen.push(row);
                }
            }
        }
        chosen
    }
}

/// Measures the rows in turn, as often as asked, so that whatever drifts on the machine meets all of them.
async fn runs(part: Part, rows: &[Row], repeat: usize, setting: &Setting) -> Result<Vec<Run>, Failure> {
    let mut stocks = Vec::new();
    for row in rows {
        stocks.push(Stock::make(row, setting).await?);
    }
    let mut measured: Vec<Vec<Figures>> = vec![Vec::new(); rows.len()];
    for turn in 0..repeat {
        for (index, (row, stock)) in rows.iter().zip(&stocks).enumerate() {
            let mut figures = Box::pin(measure(row, stock.as_ref(), setting)).await?;
            // Both by the relay beside them, so that no drift comes in.
            let base = rows.iter().position(|other| row.base().as_ref() == Some(other));
            let base = base.and_then(|base| measured[base][turn].ratio_to_relay);
            figures.ratio_to_base = figures.ratio_to_relay.zip(base).map(|(ratio, base)| ratio / base);
            eprintln!("{row}: {:.0} delivered/s ({} of {repeat})", figures.delivered_per_s, turn + 1);
            measured[index].push(figures);
        }
    }
    for stock in stocks.into_iter().flatten() {
        stock.remove().await?;
    }
    let median = |(row, figures): (&Row, Vec<Figures>)| Run { part, row: row.clone(), figures: median(&figures) };
    Ok(rows.iter().zip(measured).map(median).collect())
}
