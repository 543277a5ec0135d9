//! Two texts side by side, line for line.

/// Lines only in `expected` start with `-`, only in `actual` with `+`; of what is equal, three lines around.
pub(super) fn diff(expected: &str, actual: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), actual.lines().collect());
    let marked = mark(&old, &new);
    let near = |at: usize| {
        let around = at.saturating_sub(3)..(at + 4).min(marked.len());
        marked[around].iter().any(|(mark, _)| *mark != ' ')
    };
    let mut out = String::new();
    let mut hidden = false;
    for (at, (mark, line)) in marked.iter().enumerate() {
        if near(at) {
            out.extend([*mark, ' ']);
            out.push_str(line);
            out.push('\n');
        } else if !hidden {
            out.push_str("  …\n");
        }
        hidden = !near(at);
    }
    out
}

/// Marks each line by the longest common run of lines.
fn mark<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<(char, &'a str)> {
    let mut common = vec![vec![0_usize; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i][j] =
                if old[i] == new[j] { common[i + 1][j + 1] + 1 } else { common[i + 1][j].max(common[i][j + 1]) };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut marked = Vec::new();
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            marked.push((' ', old[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == new.len() || (i < old.len() && common[i + 1][j] >= common[i][j + 1]) {
            marked.push(('-', old[i]));
            i += 1;
        } else {
            marked.push(('+', new[j]));
            j += 1;
        }
    }
    marked
}

#[cfg(test)]
mod tests {
    use super::diff;

    #[test]
    fn a_difference_shows_what_is_around_it() {
        assert_eq!(diff("1\n2\n3\n4\n5\n6", "1\n2\n3\n4\nfive\n6\n7"), "  …\n  2\n  3\n  4\n- 5\n+ five\n  6\n+ 7\n");
        assert_eq!(diff("", "a"), "+ a\n");
    }
}
