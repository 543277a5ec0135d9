//! Settings as people may see them: by name, beside their defaults, and without passwords.

use serde::Serialize;
use serde_json::Value;
use url::Url;
use utoipa::ToSchema;

use super::{Config, ConfigError};

/// Settings that are URLs and may hold a password.
const WITH_PASSWORDS: [&str; 2] = ["store.database", "network.proxy"];
const MASK: &str = "***";

/// One setting.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Setting)]
pub struct Setting {
    /// Section and name, like `delivery.timeout_ms`.
    pub name: String,
    /// What it is; null when nobody says. Passwords are masked.
    pub value: Value,
    /// What it is when nobody says.
    pub default: Value,
}

impl Config {
    /// Every setting, section by section.
    pub fn shown(&self) -> Result<Vec<Setting>, ConfigError> {
        let json =
            |config: &Self| serde_json::to_value(config).map_err(|error| ConfigError::Invalid(error.to_string()));
        let (current, usual) = (json(self)?, json(&Self::default())?);
        let mut settings = Vec::new();
        flatten("", &current, Some(&usual), &mut settings);
        Ok(settings)
    }
}

fn flatten(at: &str, current: &Value, usual: Option<&Value>, settings: &mut Vec<Setting>) {
    if let Value::Object(fields) = current {
        for (name, value) in fields {
            let name = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
            let last = name.rsplit('.').next().unwrap_or_default();
            flatten(&name, value, usual.and_then(|usual| usual.get(last)), settings);
        }
        return;
    }
    let shown = |value: &Value| match value {
        Value::String(text) if WITH_PASSWORDS.contains(&at) => Value::String(masked(text)),
        other => other.clone(),
    };
    let default = usual.map_or(Value::Null, shown);
    settings.push(Setting { name: at.to_owned(), value: shown(current), default });
}

fn masked(text: &str) -> String {
    let Ok(mut url) = Url::parse(text) else { return MASK.to_owned() };
    // A file has neither, and would be written otherwise.
    if url.cannot_be_a_base() || !url.has_host() {
        return text.to_owned();
    }
    if url.password().is_some() {
        let _ = url.set_password(Some(MASK));
    }
    if url.query().is_some() {
        url.set_query(Some(MASK));
    }
    url.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_is_shown_without_its_password() {
        let mut config = Config::default();
        let usual = config.shown().unwrap();
        assert!(usual.iter().all(|setting| setting.value == setting.default), "{usual:#?}");
        assert!(usual.iter().any(|setting| setting.name == "plugins.requests.fields"));
        assert!(!usual.iter().any(|setting| setting.value.is_object()));
        config.store.database = "postgres://hook:s3cret@db.example/hook?password=s3cret".to_owned();
        config.network.proxy = Some("http://me:s3cret@proxy.example:3128".to_owned());
        config.delivery.timeout_ms = 7;
        let shown = config.shown().unwrap();
        let of = |name: &str| shown.iter().find(|setting| setting.name == name).unwrap();
        assert_eq!(of("store.database").value, "postgres://hook:***@db.example/hook?***");
        assert_eq!(of("network.proxy").value, "http://me:***@proxy.example:3128/");
        assert_eq!((&of("delivery.timeout_ms").value, &of("delivery.timeout_ms").default), (&7.into(), &20_000.into()));
        assert!(!serde_json::to_string(&shown).unwrap().contains("s3cret"));
        assert_eq!(
            (masked("sqlite:a b.db"), masked("sqlite:///a.db")),
            ("sqlite:a b.db".into(), "sqlite:///a.db".into())
        );
        assert_eq!(masked("nonsense s3cret"), MASK);
    }
}
