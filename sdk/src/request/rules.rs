//! What the host refuses in a request, told before it leaves the plugin.

/// Why this is no path segment, if so.
pub(super) fn segment(text: &str) -> Option<&'static str> {
    const MAX: usize = 1024;
    let decodes =
        |at: usize| text.as_bytes()[at..].iter().skip(1).take(2).filter(|byte| byte.is_ascii_hexdigit()).count() == 2;
    if text.is_empty() || text == "." || text == ".." {
        Some("is empty or leads elsewhere")
    } else if text.contains(|letter: char| letter == '/' || letter == '\\' || letter.is_control()) {
        Some("holds a slash or a control character")
    } else if text.match_indices('%').any(|(at, _)| decodes(at)) {
        Some("is encoded already, which is for the server to do")
    } else if text.len() > MAX {
        Some("is longer than 1,024 bytes")
    } else {
        None
    }
}

/// Why this is no header that a plugin sets, if so.
pub(super) fn header(name: &str, value: &str) -> Option<&'static str> {
    if name.eq_ignore_ascii_case("authorization") {
        Some("is set by a credential only")
    } else if name.is_empty()
        || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
    {
        Some("has a name that is none")
    } else if is_reserved(name) {
        Some("is set by the server")
    } else if !value.bytes().all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte)) {
        Some("holds what is not visible ASCII")
    } else {
        None
    }
}

fn is_reserved(name: &str) -> bool {
    const EXACT: &str = " host content-length transfer-encoding content-encoding connection keep-alive te trailer upgrade \
                         expect cookie forwarded http2-settings ";
    const PREFIXES: [&str; 4] = ["proxy-", "x-forwarded-", "webhook-", "x-hub-signature"];
    let name = name.to_ascii_lowercase();
    EXACT.split(' ').any(|known| known == name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_way_leads_out_of_the_path() {
        for bad in ["", ".", "..", "a/b", "a\\b", "a\n", "%2e%2e", "%252e", "x%2F", "%00", &"x".repeat(1025)] {
            assert!(segment(bad).is_some(), "{bad:?}");
        }
        for good in ["a", "a b", "$ü", "100%", "5%x", "...", &"x".repeat(1024)] {
            assert_eq!(segment(good), None, "{good:?}");
        }
    }

    #[test]
    fn headers_of_the_server_and_of_no_one_are_none() {
        for (name, value) in [
            ("Host", "x"),
            ("Authorization", "x"),
            ("Cookie", "x"),
            ("webhook-id", "x"),
            ("X-Forwarded-For", "x"),
            ("", "x"),
            ("X A", "x"),
            ("X-A", "a\r\nb"),
            ("X-A", "ü"),
        ] {
            assert!(header(name, value).is_some(), "{name}: {value}");
        }
        assert_eq!(header("X-A", "a \t~"), None);
    }
}
