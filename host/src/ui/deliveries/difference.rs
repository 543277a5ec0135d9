//! Two texts side by side, line by line.

/// Lines beyond which only the beginning is compared.
const LINES_MAX: usize = 600;

/// What became of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Same,
    Gone,
    New,
}

/// One line of either text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) change: Change,
    pub(super) text: String,
}

impl Line {
    /// How it is marked, for whoever does not see colours.
    pub(super) const fn sign(&self) -> &'static str {
        match self.change {
            Change::Same => " ",
            Change::Gone => "-",
            Change::New => "+",
        }
    }

    pub(super) const fn class(&self) -> &'static str {
        match self.change {
            Change::Same => "same",
            Change::Gone => "gone",
            Change::New => "new",
        }
    }
}

/// The lines of both, in order, those that both have once (longest common subsequence).
pub(super) fn lines(before: &str, after: &str) -> Vec<Line> {
    let old: Vec<&str> = before.lines().take(LINES_MAX).collect();
    let new: Vec<&str> = after.lines().take(LINES_MAX).collect();
    let prefix = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let (mid_old, mid_new) = (&old[prefix..], &new[prefix..]);
    let suffix = mid_old.iter().rev().zip(mid_new.iter().rev()).take_while(|(a, b)| a == b).count();
    let (mid_old, tail) = mid_old.split_at(mid_old.len() - suffix);
    let mid_new = &mid_new[..mid_new.len() - suffix];
    let line = |change, text: &str| Line { change, text: text.to_owned() };
    let mut told: Vec<Line> = old[..prefix].iter().map(|text| line(Change::Same, text)).collect();
    let width = mid_new.len() + 1;
    let mut common = vec![0_u16; (mid_old.len() + 1) * width];
    for i in (0..mid_old.len()).rev() {
        for j in (0..mid_new.len()).rev() {
            common[i * width + j] = if mid_old[i] == mid_new[j] {
                common[(i + 1) * width + j + 1] + 1
            } else {
                common[(i + 1) * width + j].max(common[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    while i < mid_old.len() || j < mid_new.len() {
        if i < mid_old.len() && j < mid_new.len() && mid_old[i] == mid_new[j] {
            told.push(line(Change::Same, mid_old[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == mid_new.len() || (i < mid_old.len() && common[(i + 1) * width + j] >= common[i * width + j + 1])
        {
            told.push(line(Change::Gone, mid_old[i]));
            i += 1;
        } else {
            told.push(line(Change::New, mid_new[j]));
            j += 1;
        }
    }
    told.extend(tail.iter().map(|text| line(Change::Same, text)));
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_gone_stands_before_what_is_new() {
        let told = lines("{\na\nb\nc\n}", "{\na\nx\nc\ny\n}");
        let text: Vec<String> = told.iter().map(|line| format!("{}{}", line.sign(), line.text)).collect();
        assert_eq!(text, [" {", " a", "-b", "+x", " c", "+y", " }"]);
        assert!(lines("", "").is_empty());
        assert_eq!(lines("a", "").len(), 1);
    }
}
