//! Answers for people: rows under heads, and fields below each other.

use serde_json::Value;

use super::ink::{Ink, Pen, clean};

/// What stands between two columns.
const GAP: &str = "  ";

/// A column: its head, and where its cells are in each item.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column(pub(super) &'static str, pub(super) &'static str);

/// Items below each other, each column as wide as its widest cell.
pub(super) fn table(pen: Pen, columns: &[Column], items: &[Value]) -> String {
    let heads = columns.iter().map(|Column(head, _)| (*head).to_owned()).collect();
    let cells = items.iter().map(|item| columns.iter().map(|Column(_, at)| cell(item.pointer(at))).collect());
    let rows: Vec<Vec<String>> = std::iter::once(heads).chain(cells).collect();
    let width = |index: usize| rows.iter().map(|row| row[index].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let line = |(number, row): (usize, &Vec<String>)| {
        let mut line = String::new();
        for (index, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let pad = if index + 1 == row.len() { 0 } else { width - cell.chars().count() };
            line.push_str(if index == 0 { "" } else { GAP });
            line.push_str(&if number == 0 { pen.ink(Ink::Bold, cell) } else { pen.state(cell) });
            line.push_str(&" ".repeat(pad));
        }
        line.truncate(line.trim_end().len());
        line
    };
    rows.iter().enumerate().map(line).collect::<Vec<_>>().join("\n")
}

/// One thing: each of its fields on a line, what is in a field below it.
pub(super) fn fields(pen: Pen, value: &Value) -> String {
    let mut lines = Vec::new();
    add_fields(pen, value, 0, &mut lines);
    lines.join("\n")
}

fn add_fields(pen: Pen, value: &Value, depth: usize, lines: &mut Vec<String>) {
    let Value::Object(map) = value else { return lines.push(cell(Some(value))) };
    let is_shown = |value: &&Value| !value.is_null();
    let width = map.iter().filter(|(_, value)| is_shown(value)).map(|(name, _)| name.chars().count()).max();
    let width = width.unwrap_or(0);
    for (name, value) in map.iter().filter(|(_, value)| is_shown(value)) {
        let head = format!("{:1$}{2}", "", depth * 2, pen.ink(Ink::Dim, &clean(name)));
        match value {
            Value::Object(inner) if !inner.is_empty() => {
                lines.push(head);
                add_fields(pen, value, depth + 1, lines);
            }
            Value::Array(items) if items.iter().any(Value::is_object) => {
                lines.push(head);
                lines.extend(
                    items.iter().map(|item| format!("{:1$}- {2}", "", depth * 2 + 2, clean(&item.to_string()))),
                );
            }
            _ => {
                let pad = width - name.chars().count();
                lines.push(format!("{head}{:pad$}{GAP}{}", "", pen.state(&cell(Some(value)))));
            }
        }
    }
}

/// A value in one line.
pub(super) fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::Bool(is)) => if *is { "yes" } else { "no" }.to_owned(),
        Some(Value::String(text)) if text.is_empty() => "-".to_owned(),
        Some(Value::String(text)) => clean(text),
        Some(Value::Array(items)) if items.is_empty() => "-".to_owned(),
        Some(Value::Array(items)) => items.iter().map(|item| cell(Some(item))).collect::<Vec<_>>().join(", "),
        Some(Value::Object(map)) if map.is_empty() => "-".to_owned(),
        Some(value) => clean(&value.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_stand_below_their_heads() {
        let items = [
            json!({ "id": "a", "n": { "done": 12 }, "is": true, "status": "failed" }),
            json!({ "id": "längeres", "status": null, "events": ["x", "y"] }),
        ];
        let columns =
            [Column("ID", "/id"), Column("DONE", "/n/done"), Column("STATUS", "/status"), Column("E", "/events")];
        let plain = "ID        DONE  STATUS  E\na         12    failed  -\nlängeres  -     -       x, y";
        assert_eq!(table(Pen::plain(), &columns, &items), plain);
        let coloured = table(Pen::coloured(), &columns[..3], &items);
        assert!(coloured.contains("12    \u{1b}[31mfailed\u{1b}[0m"), "colours take no room: {coloured:?}");
    }

    #[test]
    fn fields_are_told_with_what_is_in_them() {
        let value =
            json!({ "id": "a", "none": null, "plugin": { "name": "slack", "n": 1 }, "keys": [{ "x": "\u{1b}[2J" }] });
        let shown = fields(Pen::plain(), &value);
        assert_eq!(shown, "id      a\nplugin\n  name  slack\n  n     1\nkeys\n  - {\"x\":\"\\u001b[2J\"}");
    }
}
