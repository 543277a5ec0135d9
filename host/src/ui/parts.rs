//! Small things that stand on many pages.

use askama::Template;

use crate::domain::clock::Millis;

/// A drawing of this name; whoever cannot see it misses nothing.
#[derive(Debug, Clone, Copy, Template)]
#[template(path = "icon.html")]
pub(super) struct Icon(pub(super) &'static str);

impl askama::filters::HtmlSafe for Icon {}

/// What a state means for whoever looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Good,
    Bad,
    Warn,
    Busy,
    Quiet,
}

impl Tone {
    const fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Bad => "bad",
            Self::Warn => "warn",
            Self::Busy => "busy",
            Self::Quiet => "quiet",
        }
    }

    const fn icon(self) -> Icon {
        Icon(match self {
            Self::Good => "ok",
            Self::Bad => "cross",
            Self::Warn => "alert",
            Self::Busy => "wait",
            Self::Quiet => "dash",
        })
    }
}

/// A state: a sign and a word, never a colour alone.
#[derive(Debug, Clone, Template)]
#[template(path = "status.html")]
pub(super) struct Status {
    tone: Tone,
    words: String,
    why: Option<String>,
}

impl askama::filters::HtmlSafe for Status {}

impl Status {
    pub(super) fn new(tone: Tone, words: impl Into<String>) -> Self {
        Self { tone, words: words.into(), why: None }
    }

    /// How a delivery, a request, an attempt, a job or a plugin version stands, by the API's word.
    pub(super) fn of(word: &str) -> Self {
        let tone = match word {
            "succeeded" | "ready" | "done" | "active" => Tone::Good,
            "failed" | "refused" => Tone::Bad,
            "parked" | "held" | "uncertain" | "paused" => Tone::Warn,
            "pending" | "collecting" | "sending" | "retrying" | "checking" | "running" | "queued" => Tone::Busy,
            _ => Tone::Quiet,
        };
        Self::new(tone, word)
    }

    /// With the reason, to be read at once.
    #[must_use]
    pub(super) fn because(self, why: impl Into<String>) -> Self {
        Self { why: Some(why.into()), ..self }
    }
}

/// A time: how long ago it was, with the exact one at hand.
#[derive(Debug, Clone, Copy, Template)]
#[template(path = "when.html")]
pub(super) struct When {
    at: Millis,
    now: Millis,
}

impl askama::filters::HtmlSafe for When {}

impl When {
    pub(super) const fn new(at: Millis, now: Millis) -> Self {
        Self { at, now }
    }

    /// The exact time as people read it.
    pub(super) fn exact(self) -> String {
        let text = self.at.to_string();
        format!("{} UTC", text.trim_end_matches('Z').replacen('T', " ", 1))
    }

    fn words(self) -> String {
        let (past, ahead) = (self.now.since(self.at), self.at.since(self.now));
        if ahead > 0 {
            format!("in {}", long(ahead))
        } else if past < 5000 {
            "just now".to_owned()
        } else {
            format!("{} ago", long(past))
        }
    }
}

/// A span of time in the largest unit that fits.
pub(super) fn long(ms: u64) -> String {
    const UNITS: [(u64, &str); 5] = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1000, "s"), (1, "ms")];
    let (unit, name) = UNITS.into_iter().find(|(unit, _)| ms >= *unit).unwrap_or((1, "ms"));
    format!("{} {name}", ms / unit)
}

/// A span of time in words, in one or two units.
pub(super) fn span(ms: u64) -> String {
    const UNITS: [(u64, &str); 5] = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1000, "s"), (1, "ms")];
    let mut left = ms;
    let mut said = Vec::new();
    for (unit, name) in UNITS {
        if left >= unit && said.len() < 2 {
            said.push(format!("{} {name}", left / unit));
            left %= unit;
        }
    }
    if said.is_empty() { "0 s".to_owned() } else { said.join(" ") }
}

/// How long something took, short: `84 ms`, `1.2 s`, `3 min 5 s`. Templates give references.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "templates give references")]
pub(super) fn lasting(ms: &u64) -> String {
    match *ms {
        0..1000 => format!("{ms} ms"),
        1000..60_000 => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        _ => span(*ms),
    }
}

/// CPU time of so many microseconds. Templates give references.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "templates give references")]
pub(super) fn cpu_time(us: &u64) -> String {
    format!("{}.{:02} ms", us / 1000, us % 1000 / 10)
}

/// A size in the unit that people use.
pub(super) fn size(bytes: u64) -> String {
    const KIB: u64 = 1024;
    match bytes {
        0..KIB => format!("{bytes} B"),
        KIB..0x10_0000 => format!("{}.{} KiB", bytes / KIB, bytes % KIB * 10 / KIB),
        _ => format!("{}.{} MiB", bytes / 0x10_0000, bytes % 0x10_0000 * 10 / 0x10_0000),
    }
}

/// Words in which what stands between backticks is code.
#[derive(Debug, Clone, Copy, Template)]
#[template(path = "words.html")]
pub(super) struct Words<'w>(pub(super) &'w str);

impl askama::filters::HtmlSafe for Words<'_> {}

impl<'w> Words<'w> {
    /// Each piece, and whether it is code. A backtick without another one is a backtick.
    fn pieces(self) -> Vec<(bool, &'w str)> {
        if !self.0.matches('`').count().is_multiple_of(2) {
            return vec![(false, self.0)];
        }
        self.0.split('`').enumerate().map(|(index, piece)| (index % 2 == 1, piece)).collect()
    }
}

/// An id in letters of one width, which can be copied; and where it leads.
#[derive(Debug, Clone, Template)]
#[template(path = "id.html")]
pub(super) struct Id {
    id: String,
    path: Option<String>,
}

impl askama::filters::HtmlSafe for Id {}

impl Id {
    pub(super) fn new(id: &str) -> Self {
        Self { id: id.to_owned(), path: None }
    }

    /// It leads to this page.
    #[must_use]
    pub(super) fn at(self, path: impl Into<String>) -> Self {
        Self { path: Some(path.into()), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_as_people_do() {
        let words = |at: i64| When::new(Millis(at), Millis(1_000_000_000)).words();
        assert_eq!(words(1_000_000_000 - 4999), "just now");
        assert_eq!(words(1_000_000_000 - 61_000), "1 min ago");
        assert_eq!(words(1_000_000_000 + 7_200_000), "in 2 h");
        assert_eq!(When::new(Millis(1_769_860_800_005), Millis(0)).exact(), "2026-01-31 12:00:00.005 UTC");
        let told = [84, 1204, 185_000].map(|ms| lasting(&ms));
        assert_eq!(told, ["84 ms", "1.2 s", "3 min 5 s"]);
        assert_eq!((span(93_784_000), span(5000), span(0)), ("1 d 2 h".into(), "5 s".into(), "0 s".into()));
        assert_eq!(
            (size(1023), size(1536), size(3 * 1024 * 1024)),
            ("1023 B".into(), "1.5 KiB".into(), "3.0 MiB".into())
        );
    }

    #[test]
    fn what_stands_between_backticks_is_code() {
        assert_eq!(Words("like `a.*` or `<b>`.").to_string(), "like <code>a.*</code> or <code>&#60;b&#62;</code>.");
        assert_eq!(Words("one ` alone").to_string(), "one ` alone");
    }

    #[test]
    fn what_is_hostile_is_shown_as_text() {
        let status = Status::of("<b>").because("\"><script>alert(1)</script>").to_string();
        let id = Id::new("<i>").at("javascript:\"<").to_string();
        for shown in [status, id] {
            assert!(!shown.contains("<b>") && !shown.contains("<script") && !shown.contains("<i>"), "{shown}");
        }
    }
}
