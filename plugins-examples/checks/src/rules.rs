use std::collections::HashSet;

use hookwright_sdk::Request;

/// What the host checks of every request, for tests without a host: path, headers, label, correlation, JSON.
///
/// # Panics
/// When the host would refuse it.
pub fn check_request(request: &Request) {
    assert!(["GET", "POST", "PUT", "PATCH", "DELETE"].contains(&request.method()), "{request:?}");
    assert!(request.label_text().chars().count() <= 200, "{request:?}");
    assert!(request.correlation_key().is_none_or(|key| (1..=255).contains(&key.chars().count())), "{request:?}");
    assert!(request.path().len() <= 32, "{request:?}");
    for segment in request.path() {
        let harmless = !segment.is_empty() && !segment.chars().any(|c| "/\\".contains(c) || c.is_control());
        // The host decodes as often as a receiver could.
        let lower = segment.to_ascii_lowercase();
        let decodes = ["%2e", "%2f", "%5c", "%25", "%0", "%1"].iter().any(|code| lower.contains(code));
        assert!(harmless && ![".", ".."].contains(&segment.as_str()) && !decodes, "{segment:?}");
        assert!(segment.len() <= 1024, "{segment:?}");
    }
    let mut names = HashSet::new();
    for (name, value) in request.headers() {
        let name = name.to_ascii_lowercase();
        assert!(!name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'), "{name:?}");
        assert!(value.bytes().all(|b| (b' '..=b'~').contains(&b)), "{name}: {value:?}");
        assert!(name.len() + value.len() <= 8192, "{name}: {} bytes", value.len());
        assert!(!["authorization", "host", "content-length", "cookie"].contains(&name.as_str()), "{name}");
        assert!(names.insert(name), "a header stands twice: {request:?}");
    }
    assert!(names.len() <= 64, "{} headers", names.len());
    assert!(request.query_parameters().all(|(name, value)| !name.is_empty() && name.len() + value.len() <= 8192));
}
