//! What is on a page, found as assistive technology finds it: by role and accessible name.

use serde_json::{Value, json};

use super::{
    Tab,
    call::{call, try_call},
};

/// Roles of what can be written into or chosen from.
const FIELDS: [&str; 9] =
    ["textbox", "searchbox", "combobox", "listbox", "spinbutton", "checkbox", "radio", "Date", "DateTime"];

/// In a name that is looked for.
const ANYTHING: &str = "...";

/// What is looked for.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    /// `*` is any, `field` any of [`FIELDS`].
    role: String,
    /// The whole name; `...` at its beginning or end stands for anything.
    name: String,
}

impl Wanted {
    pub(super) fn new(role: &str, name: &str) -> Self {
        Self { role: role.to_owned(), name: name.to_owned() }
    }

    pub(super) fn field(label: &str) -> Self {
        Self::new("field", label)
    }

    pub(super) fn fits(&self, role: &str, name: &str) -> bool {
        let role_fits = match self.role.as_str() {
            "*" => true,
            "field" => FIELDS.contains(&role),
            wanted => wanted == role,
        };
        let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
        let (from, start) = self.name.strip_prefix(ANYTHING).map_or((false, &*self.name), |rest| (true, rest));
        let (to, part) = start.strip_suffix(ANYTHING).map_or((false, start), |rest| (true, rest));
        let name_fits = match (from, to) {
            (false, false) => name == part,
            (false, true) => name.starts_with(part),
            (true, false) => name.ends_with(part),
            (true, true) => name.contains(part),
        };
        role_fits && name_fits
    }
}

/// Something on a page that is not hidden.
#[derive(Debug, Clone)]
pub struct Node {
    pub(super) id: i64,
    /// As the accessibility tree calls it.
    pub role: String,
    pub name: String,
    /// What a field holds.
    pub value: String,
    /// States, such as `checked` and `invalid`.
    pub properties: Value,
}

impl Node {
    fn read(node: &Value) -> Option<Self> {
        if node["ignored"].as_bool() == Some(true) {
            return None;
        }
        let text = |value: &Value| match &value["value"] {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            other => other.to_string(),
        };
        let states = node["properties"].as_array().into_iter().flatten();
        let properties =
            states.filter_map(|state| Some((state["name"].as_str()?.to_owned(), state["value"]["value"].clone())));
        Some(Self {
            id: node["backendDOMNodeId"].as_i64()?,
            role: text(&node["role"]),
            name: text(&node["name"]),
            value: text(&node["value"]),
            properties: properties.collect::<serde_json::Map<_, _>>().into(),
        })
    }

    /// Those that there are now, below a node or on the whole page.
    pub(super) async fn all(tab: &Tab, within: Option<&Self>, wanted: &Wanted) -> Vec<Self> {
        Self::query(tab, within, wanted).await.unwrap_or_default()
    }

    async fn query(tab: &Tab, within: Option<&Self>, wanted: &Wanted) -> Result<Vec<Self>, String> {
        let mut query = if let Some(node) = within {
            json!({ "backendNodeId": node.id })
        } else {
            let root = try_call(&tab.page, "Runtime.evaluate", json!({ "expression": "document" })).await?;
            json!({ "objectId": root["result"]["objectId"] })
        };
        if !matches!(wanted.role.as_str(), "*" | "field") {
            query["role"] = json!(wanted.role);
        }
        let found = try_call(&tab.page, "Accessibility.queryAXTree", query).await?;
        let nodes = found["nodes"].as_array().into_iter().flatten().filter_map(Self::read);
        Ok(nodes.filter(|node| wanted.fits(&node.role, &node.name)).collect())
    }

    /// The first that there is, waited for.
    pub(super) async fn wait(tab: &Tab, within: Option<&Self>, wanted: &Wanted) -> Self {
        let what = format!("there is {} {:?}", wanted.role, wanted.name);
        tab.until(&what, async || Self::all(tab, within, wanted).await.into_iter().next()).await
    }

    /// Waits for a node of this role and name inside of this one. The name is the whole one, or has `...` for anything
    /// at its beginning or end.
    pub async fn find(&self, tab: &Tab, role: &str, name: &str) -> Self {
        Self::wait(tab, Some(self), &Wanted::new(role, name)).await
    }

    /// Whether there is one inside of this now.
    pub async fn has(&self, tab: &Tab, role: &str, name: &str) -> bool {
        !Self::all(tab, Some(self), &Wanted::new(role, name)).await.is_empty()
    }

    /// Those inside of this now.
    pub async fn all_in(&self, tab: &Tab, role: &str, name: &str) -> Vec<Self> {
        Self::all(tab, Some(self), &Wanted::new(role, name)).await
    }

    /// The text that can be seen of it.
    pub async fn text(&self, tab: &Tab) -> String {
        self.try_text(tab).await.expect("it is still there")
    }

    /// None when it is gone.
    pub(super) async fn try_text(&self, tab: &Tab) -> Option<String> {
        let text =
            self.try_run(tab, "function() { return this.innerText ?? this.textContent }", &json!([])).await.ok()?;
        Some(text.as_str().unwrap_or_default().to_owned())
    }

    /// Clicks in its middle, as a hand would.
    pub async fn click(&self, tab: &Tab) {
        let at = json!({ "backendNodeId": self.id });
        call(&tab.page, "DOM.scrollIntoViewIfNeeded", at.clone()).await;
        let quads = call(&tab.page, "DOM.getContentQuads", at).await;
        let corner = |index: usize| quads["quads"][0][index].as_f64().expect("it has a place on the page");
        let (x, y) = (f64::midpoint(corner(0), corner(4)), f64::midpoint(corner(1), corner(5)));
        for (kind, button, clicks) in
            [("mouseMoved", "none", 0), ("mousePressed", "left", 1), ("mouseReleased", "left", 1)]
        {
            let event = json!({ "type": kind, "x": x, "y": y, "button": button, "clickCount": clicks });
            // What goes away with its page answers nobody.
            let _ = try_call(&tab.page, "Input.dispatchMouseEvent", event).await;
        }
    }

    pub async fn focus(&self, tab: &Tab) {
        tab.until(&format!("{} {:?} takes the focus", self.role, self.name), async || {
            self.takes_focus(tab).await.then_some(())
        })
        .await;
    }

    /// Whether it takes the focus: what comes into the page, or goes, meanwhile does not.
    pub(super) async fn takes_focus(&self, tab: &Tab) -> bool {
        try_call(&tab.page, "DOM.focus", json!({ "backendNodeId": self.id })).await.is_ok()
    }

    /// Replaces what a field holds, as by typing.
    pub async fn fill(&self, tab: &Tab, text: &str) {
        self.focus(tab).await;
        let typed = self.run(tab, PREPARE, &json!([{ "value": text }])).await;
        if typed != Value::Bool(true) {
            return;
        }
        if text.is_empty() {
            tab.press("Delete").await;
        } else {
            call(&tab.page, "Input.insertText", json!({ "text": text })).await;
        }
    }

    /// Chooses the option of this text.
    pub async fn choose(&self, tab: &Tab, option: &str) {
        let chosen = self.run(tab, CHOOSE, &json!([{ "value": option }])).await;
        assert_eq!(chosen, Value::Bool(true), "{:?} has no option {option:?}\n{}", self.name, tab.shown().await);
    }

    /// Ticks a box, or takes the tick away.
    pub async fn tick(&self, tab: &Tab, on: bool) {
        let is_on = self.run(tab, "function() { return this.checked }", &json!([])).await == Value::Bool(true);
        if is_on != on {
            self.click(tab).await;
        }
    }

    /// What a field holds now.
    pub async fn content(&self, tab: &Tab) -> String {
        let value = self.run(tab, "function() { return this.value }", &json!([])).await;
        value.as_str().unwrap_or_default().to_owned()
    }

    async fn run(&self, tab: &Tab, function: &str, arguments: &Value) -> Value {
        self.try_run(tab, function, arguments)
            .await
            .unwrap_or_else(|error| panic!("{} {:?}: {error}", self.role, self.name))
    }

    async fn try_run(&self, tab: &Tab, function: &str, arguments: &Value) -> Result<Value, String> {
        let object = try_call(&tab.page, "DOM.resolveNode", json!({ "backendNodeId": self.id })).await?;
        let parameters = json!({
            "functionDeclaration": function,
            "objectId": object["object"]["objectId"],
            "arguments": arguments,
            "returnByValue": true,
        });
        Ok(try_call(&tab.page, "Runtime.callFunctionOn", parameters).await?["result"]["value"].take())
    }
}

/// Fields for times take no typing; of all others what they hold is selected.
const PREPARE: &str = "function(text) {
    if (['date', 'time', 'datetime-local'].includes(this.type)) {
        this.value = text;
        this.dispatchEvent(new Event('input', { bubbles: true }));
        this.dispatchEvent(new Event('change', { bubbles: true }));
        return false;
    }
    if (this.select) this.select();
    return true;
}";

const CHOOSE: &str = "function(text) {
    const option = [...this.options].find(option => option.text.trim() === text || option.value === text);
    if (!option) return false;
    option.selected = true;
    this.dispatchEvent(new Event('input', { bubbles: true }));
    this.dispatchEvent(new Event('change', { bubbles: true }));
    return true;
}";
