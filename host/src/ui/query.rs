//! A page's own query: filters that stay in links.

use url::form_urlencoded::Serializer;

/// Name and value of each parameter that is filled in, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// As it stands in a URL. What is empty is left out, since forms send every field.
    pub(super) fn parse(query: Option<&str>) -> Self {
        let pairs = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        let filled = pairs.filter(|(_, value)| !value.trim().is_empty());
        Self(filled.map(|(name, value)| (name.into_owned(), value.trim().to_owned())).collect())
    }

    /// A parameter.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The same with this one.
    #[must_use]
    pub(super) fn with(&self, name: &str, value: &str) -> Self {
        let mut pairs = self.without(name).0;
        pairs.push((name.to_owned(), value.to_owned()));
        Self(pairs)
    }

    /// The same without this one.
    #[must_use]
    pub(super) fn without(&self, name: &str) -> Self {
        Self(self.0.iter().filter(|(key, _)| key != name).cloned().collect())
    }

    /// Only these.
    #[must_use]
    pub(super) fn only(&self, names: &[&str]) -> Self {
        Self(self.0.iter().filter(|(key, _)| names.contains(&key.as_str())).cloned().collect())
    }

    /// Whether nothing is asked for.
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A path with it.
    pub(super) fn at(&self, path: &str) -> String {
        if self.0.is_empty() {
            return path.to_owned();
        }
        let pairs = self.0.iter().map(|(name, value)| (name, value));
        format!("{path}?{}", Serializer::new(String::new()).extend_pairs(pairs).finish())
    }

    /// As it stands behind the `?`.
    pub(super) fn text(&self) -> String {
        self.at("").trim_start_matches('?').to_owned()
    }

    /// Each parameter.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_stay_in_links() {
        let query = Query::parse(Some("status=failed&webhook_id=&q=a%26b"));
        assert_eq!(query.at("/deliveries"), "/deliveries?status=failed&q=a%26b");
        assert_eq!(query.with("cursor", "x").without("q").at("/d"), "/d?status=failed&cursor=x");
        assert_eq!(query.only(&["q"]).at("/d"), "/d?q=a%26b");
        assert_eq!(Query::parse(None).at("/d"), "/d");
    }
}
