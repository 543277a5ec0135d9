//! What people give to commands: JSON in files, secrets, times and names with values.

use std::io::{BufRead as _, IsTerminal as _, Read as _};
use std::process::{Command, Stdio};

use secrecy::SecretString;
use serde_json::{Map, Value};

use super::Failure;
use crate::domain::clock::{Clock, Millis};

const SECOND_MS: u64 = 1000;
const DAY_MS: u64 = 24 * 60 * 60 * SECOND_MS;

/// The text of a file; `-` is stdin.
pub(super) fn text_of(file: &str) -> Result<String, Failure> {
    let mut text = String::new();
    let read = if file == "-" {
        std::io::stdin().lock().read_to_string(&mut text)
    } else {
        std::fs::File::open(file).and_then(|mut file| file.read_to_string(&mut text))
    };
    read.map_err(|error| format!("{file}: {error}"))?;
    Ok(text)
}

/// JSON in a file; `-` is stdin.
pub(super) fn json_of(file: &str) -> Result<Value, Failure> {
    serde_json::from_str(&text_of(file)?).map_err(|error| format!("{file}: {error}").into())
}

/// A JSON object in a file; nothing when none is named.
pub(super) fn form_of(file: Option<&str>) -> Result<Map<String, Value>, Failure> {
    let Some(file) = file else { return Ok(Map::new()) };
    match json_of(file)? {
        Value::Object(form) => Ok(form),
        _ => Err(format!("{file}: it is a JSON object").into()),
    }
}

/// A secret in a file, without the end of its line.
pub(super) fn secret_of(file: &str) -> Result<String, Failure> {
    Ok(text_of(file)?.trim_end_matches(['\r', '\n']).to_owned())
}

/// The first line of stdin. On a terminal it is asked for, and not seen as it is written.
pub(super) fn secret_line(what: &str) -> Result<SecretString, Failure> {
    let is_asked = std::io::stdin().is_terminal();
    let _hidden = is_asked.then(|| {
        let hidden = Hidden::begin();
        eprint!("{what}{}: ", if hidden.is_hidden { "" } else { " (it will be seen as you write it)" });
        hidden
    });
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    if is_asked {
        eprintln!();
    }
    Ok(line.trim_end_matches(['\r', '\n']).into())
}

/// While it lives, a terminal does not show what is written.
struct Hidden {
    is_hidden: bool,
}

impl Hidden {
    fn begin() -> Self {
        Self { is_hidden: Self::stty("-echo") }
    }

    fn stty(mode: &str) -> bool {
        let done = Command::new("stty").arg(mode).stdout(Stdio::null()).stderr(Stdio::null()).status();
        done.is_ok_and(|status| status.success())
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        if self.is_hidden {
            Self::stty("echo");
        }
    }
}

/// `NAME=VALUE`.
pub(super) fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("it is NAME=VALUE")?;
    if name.is_empty() { Err("it is NAME=VALUE".to_owned()) } else { Ok((name.to_owned(), value.to_owned())) }
}

/// How long: `90s`, `30m`, `24h`, `7d`, or milliseconds as `500ms`.
pub(super) fn duration_ms(text: &str) -> Result<u64, String> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (count, unit) = text.split_at(digits);
    let unit_ms = match unit {
        "ms" => 1,
        "s" => SECOND_MS,
        "m" => 60 * SECOND_MS,
        "h" => 3600 * SECOND_MS,
        "d" => DAY_MS,
        _ => return Err("it is a number with a unit: 500ms, 90s, 30m, 24h, 7d".to_owned()),
    };
    let count: u64 = count.parse().map_err(|_| "it is a number with a unit: 500ms, 90s, 30m, 24h, 7d")?;
    count.checked_mul(unit_ms).filter(|ms| *ms <= 36_500 * DAY_MS).ok_or_else(|| "it is too long".to_owned())
}

/// A time of the past: RFC 3339 text, or how long ago.
pub(super) fn past(text: &str) -> Result<Millis, String> {
    if let Some(time) = Millis::parse(text) {
        return Ok(time);
    }
    let ms = duration_ms(text).map_err(|_| "it is a time like 2026-01-31T12:00:00Z, or how long ago: 30m, 24h, 7d")?;
    Ok(Millis(Clock::System.now().0.saturating_sub(i64::try_from(ms).unwrap_or(i64::MAX))))
}

/// A time to come: RFC 3339 text, or how long until then.
pub(super) fn future(text: &str) -> Result<Millis, String> {
    if let Some(time) = Millis::parse(text) {
        return Ok(time);
    }
    let ms =
        duration_ms(text).map_err(|_| "it is a time like 2027-01-31T12:00:00Z, or how long from now: 30m, 24h, 90d")?;
    Ok(Clock::System.now().plus(ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        assert_eq!(
            ["500ms", "90s", "30m", "24h", "7d"].map(|text| duration_ms(text).unwrap()),
            [500, 90_000, 1_800_000, 86_400_000, 604_800_000]
        );
        for wrong in ["", "5", "h", "-1h", "1.5h", "1w", "99999999999999999999d", "36501d"] {
            assert!(duration_ms(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn times_are_told_or_counted_from_now() {
        assert_eq!(past("2026-01-31T12:00:00Z"), Ok(Millis(1_769_860_800_000)));
        let now = Clock::System.now();
        assert!(past("1h").unwrap() < now && future("1h").unwrap() > now);
        assert!(past("yesterday").unwrap_err().contains("2026-01-31"));
    }

    #[test]
    fn a_value_may_hold_anything_and_a_name_is_needed() {
        assert_eq!(pair("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert!(pair("a").is_err() && pair("=b").is_err());
    }
}
