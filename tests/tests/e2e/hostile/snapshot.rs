//! What each guest came to, one line for each, compared with what is written down.

use std::{fmt::Write as _, fs, path::PathBuf};

use hookwright_tests::api::Error;

#[derive(Debug, Default)]
pub(super) struct Snapshot {
    lines: Vec<String>,
}

impl Snapshot {
    pub(super) fn note(&mut self, name: &str, end: &str, error: &Error) {
        let mut line = format!("{name}: {end}: {}", error.code);
        // How much CPU time was used until somebody looked differs from run to run.
        let used = error.used.filter(|_| error.code == "plugin.timeout");
        let message =
            used.map_or_else(|| error.message.clone(), |used| error.message.replacen(&used.to_string(), "#", 1));
        if let (Some(limit), Some(allowed)) = (&error.limit, error.allowed) {
            let used = used.map_or_else(|| error.used.unwrap_or_default().to_string(), |_| "#".to_owned());
            let _ = write!(line, " [{limit} {used}/{allowed}]");
        }
        let _ = write!(line, "\n  {message}");
        self.lines.push(line);
    }

    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    /// # Panics
    /// When a line is not as it is written down. `UPDATE_CASES=1` writes down what is there now.
    #[expect(clippy::disallowed_methods, reason = "said by whoever runs the test, not a setting of the server")]
    pub(super) fn check(&self) {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/hostile/messages.txt");
        let text = self.lines.join("\n") + "\n";
        if std::env::var("UPDATE_CASES").is_ok_and(|value| value == "1") {
            fs::write(&path, &text).expect("it is written down");
        }
        let expected = fs::read_to_string(&path).expect("what is written down");
        let changed: Vec<_> = text.lines().filter(|line| !expected.lines().any(|known| known == *line)).collect();
        assert!(changed.is_empty(), "new or changed:\n{}\n{}", changed.join("\n"), "UPDATE_CASES=1 writes them down");
        assert_eq!(text, expected);
    }
}
