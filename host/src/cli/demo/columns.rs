//! Texts side by side.

use super::page::{Ink, Page, WIDTH, shorten};

const MARGIN: usize = 2;
const GAP: usize = 2;

/// A line of a column.
pub(super) struct Cell {
    ink: Option<Ink>,
    text: String,
}

impl Cell {
    pub(super) fn plain(text: impl Into<String>) -> Self {
        Self { ink: None, text: text.into() }
    }

    pub(super) fn inked(ink: Ink, text: impl Into<String>) -> Self {
        Self { ink: Some(ink), text: text.into() }
    }
}

/// How wide each of so many columns is.
pub(super) fn width(columns: usize) -> usize {
    (WIDTH - MARGIN + GAP) / columns.max(1) - GAP
}

/// Columns of cells, each column with a last cell of its own, all of which stand in one line.
pub(super) fn side_by_side(page: Page, columns: &[(Vec<Cell>, Cell)]) -> String {
    let width = width(columns.len());
    let height = columns.iter().map(|(cells, _)| cells.len()).max().unwrap_or(0);
    let row = |cells: Vec<Option<&Cell>>| {
        let mut line = " ".repeat(MARGIN);
        let mut owed = 0;
        for cell in cells {
            let text = cell.map(|cell| shorten(&cell.text, width)).unwrap_or_default();
            line.push_str(&" ".repeat(owed));
            owed = width - text.chars().count() + GAP;
            match cell.and_then(|cell| cell.ink) {
                Some(ink) => line.push_str(&page.ink(ink, &text)),
                None => line.push_str(&text),
            }
        }
        line.truncate(line.trim_end().len());
        line
    };
    let rows = (0..height).map(|index| row(columns.iter().map(|(cells, _)| cells.get(index)).collect()));
    let last = row(columns.iter().map(|(_, last)| Some(last)).collect());
    rows.chain([last]).collect::<Vec<_>>().join("\n")
}

/// A text in at most so many lines of this width, parted between words; what follows the first stands under its text.
pub(super) fn wrap(text: &str, width: usize, lines: usize) -> Vec<String> {
    let indent = text.len() - text.trim_start().len() + 2;
    let mut out: Vec<String> = Vec::new();
    let mut rest = shorten(text, usize::MAX);
    while out.len() + 1 < lines && rest.chars().count() > width {
        let end = rest.char_indices().nth(width + 1).map_or(rest.len(), |(end, _)| end);
        let space = rest[..end].rfind(' ').filter(|space| !rest[..*space].trim().is_empty());
        let Some(space) = space else { break };
        let tail = format!("{}{}", " ".repeat(indent), rest[space..].trim_start());
        rest.truncate(space);
        out.push(rest);
        rest = tail;
    }
    out.push(shorten(&rest, width));
    out
}

#[cfg(test)]
mod tests {
    use super::{Cell, side_by_side, width, wrap};
    use crate::cli::demo::page::Page;

    #[test]
    fn columns_stand_beside_each_other_and_their_last_lines_in_one() {
        assert_eq!([width(4), width(2), width(1)], [23, 48, 98]);
        let column =
            |cells: &[&str], last: &str| (cells.iter().map(|text| Cell::plain(*text)).collect(), Cell::plain(last));
        let shown = side_by_side(Page::plain(), &[column(&["a", "b"], "✓"), column(&["c"], "✗")]);
        let gap = " ".repeat(49);
        assert_eq!(shown, format!("  a{gap}c\n  b\n  ✓{gap}✗"));
    }

    #[test]
    fn long_texts_are_parted_between_words_and_cut_in_the_end() {
        assert_eq!(wrap("short", 10, 2), ["short"]);
        assert_eq!(wrap("some words more", 10, 2), ["some words", "  more"]);
        assert_eq!(wrap("some words more", 10, 1), ["some word…"]);
        assert_eq!(wrap("▢ Übergröße überall und noch mehr", 12, 2), ["▢ Übergröße", "  überall u…"]);
        assert_eq!(wrap("unbreakable-word", 10, 3), ["unbreakab…"]);
    }
}
