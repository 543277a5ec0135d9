//! Bars over time, drawn here as SVG; the same numbers as a table for whoever does not see it.

use askama::Template;

const HEIGHT: u64 = 140;
const WIDTH: u64 = 720;
/// Room between two bars.
const GAP: u64 = 4;

/// One bar.
#[derive(Debug)]
pub(super) struct Bar {
    /// From below: the class of each part, and how much it is.
    pub(super) parts: Vec<(&'static str, u64)>,
    /// What it says, in words.
    pub(super) words: String,
    pub(super) label: String,
}

/// A part of a bar, where it is drawn.
#[derive(Debug)]
struct Block {
    class: &'static str,
    y: u64,
    height: u64,
}

#[derive(Debug)]
struct Drawn {
    x: u64,
    width: u64,
    blocks: Vec<Block>,
    words: String,
    label: String,
}

/// The whole picture.
#[derive(Debug, Template)]
#[template(path = "chart.html")]
pub(super) struct Chart {
    title: String,
    bars: Vec<Drawn>,
    most: u64,
}

impl askama::filters::HtmlSafe for Chart {}

impl Chart {
    pub(super) fn new(title: &str, bars: Vec<Bar>) -> Self {
        let most = bars.iter().map(|bar| bar.parts.iter().map(|(_, amount)| amount).sum::<u64>()).max().unwrap_or(0);
        let step = WIDTH / (bars.len() as u64).max(1);
        let drawn = |(index, bar): (u64, Bar)| {
            let mut below = 0;
            let blocks = bar.parts.into_iter().filter(|(_, amount)| *amount > 0).map(|(class, amount)| {
                // What is there is seen, however little it is.
                let height = (amount * HEIGHT / most.max(1)).max(2);
                below += height;
                Block { class, y: HEIGHT.saturating_sub(below), height }
            });
            Drawn {
                x: index * step + GAP / 2,
                width: step - GAP,
                blocks: blocks.collect(),
                words: bar.words,
                label: bar.label,
            }
        };
        Self { title: title.to_owned(), most, bars: (0..).zip(bars).map(drawn).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_stand_on_the_ground_and_are_told_in_words() {
        let bar = |parts: &[(&'static str, u64)], words: &str| Bar {
            parts: parts.to_vec(),
            words: words.into(),
            label: "12:00".into(),
        };
        let chart = Chart::new(
            "<Deliveries>",
            vec![bar(&[("good", 30), ("bad", 10)], "30 & 10"), bar(&[("good", 0), ("bad", 0)], "none")],
        );
        let blocks = &chart.bars[0].blocks;
        assert_eq!((blocks[0].y, blocks[0].height, blocks[1].y, blocks[1].height), (35, 105, 0, 35));
        assert!(chart.bars[1].blocks.is_empty());
        let shown = chart.to_string();
        assert!(shown.contains("30 &#38; 10") && !shown.contains("<Deliveries>"), "{shown}");
    }
}
