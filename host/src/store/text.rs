//! Texts that are looked for in names.

/// What stands around a text that is looked for with `LIKE … ESCAPE '\\'` in `lower(…)`.
pub(super) fn containing(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 2);
    pattern.push('%');
    for c in text.to_lowercase().chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_for_other_text_stands_for_itself() {
        assert_eq!(containing("Ada_50%\\"), "%ada\\_50\\%\\\\%");
    }
}
