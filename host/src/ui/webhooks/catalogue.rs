//! The catalogue of events, to be ticked.

use serde::Deserialize;

/// A type of the catalogue.
#[derive(Debug, Deserialize)]
pub(super) struct EventType {
    pub(super) name: String,
    #[serde(default)]
    pub(super) description: String,
    #[serde(skip)]
    pub(super) ticked: bool,
}

/// Types that begin alike.
pub(super) struct Group {
    /// The pattern of all of them.
    pub(super) pattern: String,
    pub(super) ticked: bool,
    pub(super) types: Vec<EventType>,
}

/// The catalogue by what its types begin with.
pub(super) fn groups(types: Vec<EventType>, chosen: &[String]) -> Vec<Group> {
    let mut types = types;
    types.sort_by(|a, b| a.name.cmp(&b.name));
    let mut groups: Vec<Group> = Vec::new();
    for mut kind in types {
        let family = kind.name.split_once('.').map_or(kind.name.as_str(), |(family, _)| family);
        let pattern = format!("{family}.*");
        kind.ticked = chosen.contains(&kind.name);
        if groups.last().is_none_or(|group| group.pattern != pattern) {
            groups.push(Group { ticked: chosen.contains(&pattern), pattern, types: Vec::new() });
        }
        if let Some(group) = groups.last_mut() {
            group.types.push(kind);
        }
    }
    groups
}

/// Types that a test can send.
pub(super) fn known_types(groups: &[Group]) -> Vec<(String, String)> {
    let mut of = vec![(String::new(), "webhook.test, a short message".to_owned())];
    let names = groups.iter().flat_map(|group| group.types.iter().map(|kind| kind.name.clone()));
    of.extend(names.map(|name| (name.clone(), name)));
    of
}
