//! What stands beside the payload.

use std::collections::BTreeMap;

use hookwright_sdk::Event;

use crate::Config;

/// By name. `source` and `id` together are the same however often the event is sent.
pub(crate) fn attributes<'a>(event: &'a Event, config: &'a Config) -> BTreeMap<&'a str, String> {
    // What came as a CloudEvent goes on as the same one.
    let own = |name| event.attribute(name).filter(|value| !value.is_empty()).map(str::to_owned);
    let source = config.source.clone().or_else(|| own("source"));
    let known = [
        ("specversion", Some("1.0".to_owned())),
        ("id", own("id").or_else(|| Some(event.id().to_owned()))),
        ("source", source.or_else(|| Some(format!("urn:hookwright:{}", event.project())))),
        ("type", Some(format!("{}{}", config.type_prefix, event.kind()))),
        ("time", Some(event.occurred_at().to_owned())),
        ("subject", event.subject().filter(|subject| !subject.is_empty()).map(str::to_owned)),
        ("dataschema", own("dataschema")),
        ("datacontenttype", event.payload_bytes().map(|_| event.content_type().to_owned())),
    ];
    let given = event.attributes().filter(|(name, _)| is_extension(name)).map(|(name, value)| (name, value.to_owned()));
    let set = config.extensions.iter().filter(|(name, _)| is_extension(name));
    let set = set.map(|(name, value)| (name.as_str(), value.clone()));
    let known = known.into_iter().filter_map(|(name, value)| Some((name, value?)));
    given.chain(set).chain(known).collect()
}

/// Lower-case letters and digits. What has a meaning of its own is none.
fn is_extension(name: &str) -> bool {
    !name.is_empty() && name != "data" && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

/// Whether a payload of this media type stands in JSON as it is.
pub(crate) fn is_json(content_type: &str) -> bool {
    let media = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    media == "application/json" || media == "text/json" || media.ends_with("+json")
}

/// A value as a header takes it: percent-encoded but for visible ASCII (HTTP Protocol Binding §3.1.3.2).
pub(crate) fn header(value: &str) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut out = String::with_capacity(value.len());
    for byte in value.bytes() {
        if (b'!'..=b'~').contains(&byte) && byte != b'"' && byte != b'%' {
            out.push(char::from(byte));
        } else {
            out.extend(['%', char::from(HEX[usize::from(byte >> 4)]), char::from(HEX[usize::from(byte & 15)])]);
        }
    }
    out
}
