//! Keys, and where they go.

use chromiumoxide::keys::get_key_definition;
use serde_json::{Value, json};

use super::{
    Tab,
    call::{call, try_call},
};

/// More presses than any page needs to come around.
const TABS_MAX: usize = 250;

impl Tab {
    /// Presses a key as it is named in events, such as `Enter`, `Shift+Tab` or `Control+Enter`.
    pub async fn press(&self, keys: &str) {
        let (mut modifiers, mut key) = (0, keys);
        for (name, bit) in [("Alt+", 1), ("Control+", 2), ("Meta+", 4), ("Shift+", 8)] {
            if let Some(rest) = key.strip_prefix(name) {
                (modifiers, key) = (modifiers | bit, rest);
            }
        }
        let known = get_key_definition(key).unwrap_or_else(|| panic!("no key {key:?}"));
        let mut event = json!({
            "type": "keyDown",
            "key": known.key,
            "code": known.code,
            "windowsVirtualKeyCode": known.key_code,
            "modifiers": modifiers,
        });
        let types_text = modifiers & !8 == 0;
        if let Some(text) = known.text.or_else(|| (known.key.chars().count() == 1).then_some(known.key))
            && types_text
        {
            event["text"] = json!(text);
        }
        for kind in ["keyDown", "keyUp"] {
            event["type"] = json!(kind);
            // What goes away with its page answers nobody.
            let _ = try_call(&self.page, "Input.dispatchKeyEvent", event.clone()).await;
            event.as_object_mut().expect("an object").remove("text");
        }
    }

    /// Types into what has the focus.
    pub async fn type_text(&self, text: &str) {
        call(&self.page, "Input.insertText", json!({ "text": text })).await;
    }

    /// Role and name of what has the focus.
    pub async fn focused(&self) -> Option<(String, String)> {
        let active = json!({ "expression": "document.activeElement" });
        let active = try_call(&self.page, "Runtime.evaluate", active).await.ok()?;
        let at = json!({ "objectId": active["result"]["objectId"], "fetchRelatives": false });
        let found = try_call(&self.page, "Accessibility.getPartialAXTree", at).await.ok()?;
        let node = &found["nodes"][0];
        let text = |value: &Value| value["value"].as_str().unwrap_or_default().to_owned();
        let name = text(&node["name"]).split_whitespace().collect::<Vec<_>>().join(" ");
        Some((text(&node["role"]), name))
    }

    /// Presses Tab until something of this role and name has the focus. A role may be `field`.
    pub async fn tab_to(&self, role: &str, name: &str) {
        let wanted = super::node::Wanted::new(role, name);
        let mut passed = Vec::new();
        for _ in 0..TABS_MAX {
            if let Some((role, name)) = self.focused().await {
                if wanted.fits(&role, &name) {
                    return;
                }
                passed.push(format!("{role} {name:?}"));
            }
            self.press("Tab").await;
        }
        panic!("Tab does not come to {role} {name:?}, but to {passed:#?}\n{}", self.shown().await);
    }

    /// Presses a key that leads to another page, and waits for it.
    pub async fn press_to_load(&self, keys: &str) {
        self.loads(keys, self.press(keys)).await;
    }

    /// Replaces what the focused field holds, by keys alone.
    pub async fn retype(&self, text: &str) {
        self.evaluate("document.activeElement.select?.()").await;
        self.type_text(text).await;
    }
}
