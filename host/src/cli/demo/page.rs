//! What the terminal shows: ink, rows and shortened bodies.

use std::fmt::Write as _;
use std::io::Write as _;

use serde_json::Value;

use crate::cli::ink::Pen;
pub(super) use crate::cli::ink::{Ink, shorten};

pub(super) const WIDTH: usize = 100;
const BODY_LINES: usize = 10;

#[derive(Clone, Copy)]
pub(super) struct Page {
    pen: Pen,
}

impl Page {
    pub(super) fn for_stdout() -> Self {
        Self { pen: Pen::for_stdout() }
    }

    #[cfg(test)]
    pub(super) fn plain() -> Self {
        Self { pen: Pen::plain() }
    }

    /// A line, at once: whoever watches sees it happen.
    pub(super) fn print(text: &str) -> std::io::Result<()> {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{text}")?;
        out.flush()
    }

    pub(super) fn ink(self, ink: Ink, text: &str) -> String {
        self.pen.ink(ink, text)
    }

    pub(super) fn mark(self, good: bool, text: &str) -> String {
        self.pen.mark(good, text)
    }

    /// A line across the page with its title at the left.
    pub(super) fn rule(self, title: &str) -> String {
        let rest = WIDTH.saturating_sub(title.chars().count() + 4);
        format!("{} {} {}", self.ink(Ink::Dim, "──"), self.ink(Ink::Bold, title), self.ink(Ink::Dim, &"─".repeat(rest)))
    }

    /// A body for reading: JSON on several lines, long ones cut.
    pub(super) fn body(self, indent: usize, body: &[u8]) -> String {
        let text = match serde_json::from_slice::<Value>(body) {
            Ok(json) => laid_out(&json, WIDTH.saturating_sub(indent)),
            Err(_) => String::from_utf8_lossy(body).into_owned(),
        };
        let lines: Vec<&str> = text.lines().collect();
        // One line too many is better shown than counted.
        let shown = if lines.len() > BODY_LINES + 1 { BODY_LINES } else { lines.len() };
        let mut out = String::new();
        for line in &lines[..shown] {
            let line = shorten(line, WIDTH.saturating_sub(indent));
            let _ = writeln!(out, "{:indent$}{}", "", self.ink(Ink::Dim, &line));
        }
        if shown < lines.len() {
            let _ =
                writeln!(out, "{:indent$}{}", "", self.ink(Ink::Dim, &format!("… {} more lines", lines.len() - shown)));
        }
        out
    }
}

/// JSON with everything on one line that fits on one.
fn laid_out(json: &Value, width: usize) -> String {
    let mut out = String::new();
    lay_out(&mut out, json, 0, width);
    out
}

fn lay_out(out: &mut String, json: &Value, depth: usize, width: usize) {
    let short = json.to_string();
    let used = out.len() - out.rfind('\n').map_or(0, |newline| newline + 1);
    let (open, close, entries): (_, _, Vec<(String, &Value)>) = match json {
        Value::Object(map) if used + short.len() > width && !map.is_empty() => {
            ('{', '}', map.iter().map(|(name, value)| (format!("{}: ", Value::from(name.as_str())), value)).collect())
        }
        Value::Array(list) if used + short.len() > width && !list.is_empty() => {
            ('[', ']', list.iter().map(|value| (String::new(), value)).collect())
        }
        _ => return out.push_str(&short),
    };
    let last = entries.len() - 1;
    out.push(open);
    for (index, (name, value)) in entries.into_iter().enumerate() {
        let _ = write!(out, "\n{:1$}{name}", "", 2 * (depth + 1));
        lay_out(out, value, depth + 1, width);
        if index < last {
            out.push(',');
        }
    }
    let _ = write!(out, "\n{:1$}{close}", "", 2 * depth);
}

pub(super) fn micros(us: u64) -> String {
    if us < 1_000 { format!("{us} µs") } else { format!("{}.{} ms", us / 1_000, us % 1_000 / 100) }
}

pub(super) fn bytes(count: u64) -> String {
    match count {
        0..1_000 => format!("{count} B"),
        1_000..1_000_000 => format!("{}.{} kB", count / 1_000, count % 1_000 / 100),
        _ => format!("{}.{} MB", count / 1_000_000, count % 1_000_000 / 100_000),
    }
}

/// `15 Jan` for a text that begins with `2027-01-15`.
pub(super) fn day(text: &str) -> Option<String> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut parts = text.get(..10)?.split('-').skip(1);
    let month: usize = parts.next()?.parse().ok()?;
    let day: u8 = parts.next()?.parse().ok()?;
    Some(format!("{day} {}", MONTHS.get(month.checked_sub(1)?)?))
}

#[cfg(test)]
mod tests {
    use super::{Page, bytes, day, laid_out, micros};

    #[test]
    fn numbers_are_short() {
        assert_eq!([micros(84), micros(1_240)], ["84 µs", "1.2 ms"]);
        assert_eq!(day("2027-01-15T12:00:00Z").as_deref(), Some("15 Jan"));
        assert_eq!([day("2027-13-15"), day("2027-00-15"), day("soon"), day("übermorgen")], [const { None }; 4]);
        assert_eq!([bytes(999), bytes(54_321), bytes(2_097_152)], ["999 B", "54.3 kB", "2.0 MB"]);
    }

    #[test]
    fn json_takes_few_lines() {
        let json = serde_json::json!({"a": {"b": [1, 2]}, "text": "x".repeat(12), "none": []});
        assert_eq!(laid_out(&json, 200), json.to_string());
        let lines = "{\n  \"a\": {\"b\":[1,2]},\n  \"text\": \"xxxxxxxxxxxx\",\n  \"none\": []\n}";
        assert_eq!(laid_out(&json, 24), lines);
    }

    #[test]
    fn long_bodies_are_cut() {
        let body = serde_json::to_vec(&(1_000_000..1_000_040).collect::<Vec<_>>()).unwrap();
        let shown = Page::plain().body(2, &body);
        assert_eq!(shown.lines().count(), 11);
        assert!(shown.ends_with("  … 32 more lines\n"));
        assert_eq!(Page::plain().body(0, b"payload=1"), "payload=1\n");
    }
}
