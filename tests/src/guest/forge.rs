//! Makes components out of WebAssembly text.

use std::{borrow::Cow, path::Path};

use serde_json::{Value, json};
use wasm_encoder::{ComponentSection, CustomSection};
use wit_component::{ComponentEncoder, StringEncoding};
use wit_parser::Resolve;

use super::{LAST_WORDS, Output, Verdict, wasi};

/// Where an output is laid out in a guest's memory: behind its last words, before what it is given.
const OUTPUT_AT: u32 = 2048;
/// How much room it has there.
const OUTPUT_BYTES: usize = 65_536 - 2048;
/// Pages of a guest's memory: room for the largest event.
const MEMORY_PAGES: usize = 17;
/// Where a verdict is laid out: on the last page, which nothing else reaches.
const VERDICT_AT: u32 = 16 * 65_536;
const CONTRACT: &str = "hookwright:plugin@1.0.0";

/// A component in the making: a plugin that logs [`LAST_WORDS`], does what it is told to, and then traps.
#[derive(Debug, Clone)]
#[must_use]
pub struct Forge {
    manifest: Value,
    has_manifest: bool,
    imports: String,
    items: String,
    transform: String,
    memory_pages: usize,
    contract: &'static str,
    world: &'static str,
}

impl Forge {
    pub fn new(name: &str) -> Self {
        Self {
            manifest: json!({
                "name": name,
                "version": "0.1.0",
                "summary": "Misbehaves, for tests",
                "events": ["*"],
                "config": { "type": "object" },
                "secrets": {},
                "cases": [],
            }),
            has_manifest: true,
            imports: String::new(),
            items: String::new(),
            transform: String::new(),
            memory_pages: MEMORY_PAGES,
            contract: CONTRACT,
            world: "plugin",
        }
    }

    /// What `transform` does, as instructions; `$n` is a local of type i32.
    pub fn transform(mut self, instructions: &str) -> Self {
        self.transform.push_str(instructions);
        self
    }

    /// Imports of the core module, beside that of `log`.
    pub fn imports(mut self, imports: &str) -> Self {
        self.imports.push_str(imports);
        self
    }

    /// Functions, globals, tables, data: whatever stands in a module behind its imports.
    pub fn items(mut self, items: &str) -> Self {
        self.items.push_str(items);
        self
    }

    /// What `transform` returns.
    pub fn returns(self, output: &Output) -> Self {
        let bytes = output.bytes(OUTPUT_AT);
        assert!(bytes.len() <= OUTPUT_BYTES, "{} bytes do not fit before what the guest is given", bytes.len());
        let data = escaped(&bytes);
        self.items(&format!("(data (i32.const {OUTPUT_AT}) \"{data}\")"))
            .transform(&format!("(return (i32.const {OUTPUT_AT}))"))
    }

    /// Has it read answers of these statuses: what `interpret` does, as instructions. It may call `$recall` then, too.
    pub fn interprets(mut self, statuses: &[&str], instructions: &str) -> Self {
        self.world = "plugin-interpreting";
        let recall = r#"(import "hookwright:plugin/memory@1.0.0" "recall" (func $recall (param i32 i32 i32)))"#;
        self.imports(recall).manifest("interpreter", json!({ "statuses": statuses })).items(&format!(
            r#"(func $interpret (export "hookwright:plugin/interpreter@1.0.0#interpret") (param i32) (result i32)
                 {instructions} (unreachable))"#
        ))
    }

    /// Has it say this of answers with these statuses.
    pub fn says(self, statuses: &[&str], verdict: &Verdict) -> Self {
        let data = escaped(&verdict.bytes(VERDICT_AT));
        self.items(&format!("(data (i32.const {VERDICT_AT}) \"{data}\")"))
            .interprets(statuses, &format!("(return (i32.const {VERDICT_AT}))"))
    }

    /// The address at which the output begins.
    pub const fn output_at() -> u32 {
        OUTPUT_AT
    }

    /// Pages of 64 KiB that its memory begins with.
    pub fn memory_pages(self, memory_pages: usize) -> Self {
        Self { memory_pages, ..self }
    }

    /// Changes what stands in the manifest at this name.
    pub fn manifest(mut self, name: &str, value: Value) -> Self {
        self.manifest[name] = value;
        self
    }

    /// Leaves the manifest out.
    pub fn without_manifest(self) -> Self {
        Self { has_manifest: false, ..self }
    }

    /// Builds it for another version of the contract, in which all else is the same.
    pub fn contract(self, contract: &'static str) -> Self {
        Self { contract, ..self }
    }

    /// Builds it for another world of the contract.
    pub fn world(self, world: &'static str) -> Self {
        Self { world, ..self }
    }

    /// The component.
    pub fn component(&self) -> Vec<u8> {
        let component = ComponentEncoder::default()
            .module(&self.module())
            .expect("a module of the world")
            .validate(true)
            .encode()
            .expect("a component");
        if self.has_manifest { self.with_manifest(component) } else { component }
    }

    /// Any other component, with this one's manifest.
    pub fn wrap(&self, text: &str) -> Vec<u8> {
        self.with_manifest(wat::parse_str(text).expect("the text of a component"))
    }

    /// The component with its manifest behind all that it has.
    pub fn with_manifest(&self, component: Vec<u8>) -> Vec<u8> {
        let mut component = component;
        let data = self.manifest.to_string().into_bytes();
        CustomSection { name: Cow::Borrowed("hookwright:manifest"), data: Cow::Owned(data) }
            .append_to_component(&mut component);
        component
    }

    /// The core module, with what the encoder needs to know.
    pub fn module(&self) -> Vec<u8> {
        let version = self.contract.split_once('@').expect("a version").1;
        let text = include_str!("module.wat")
            .replace(";; IMPORTS", &self.imports)
            .replace(";; ITEMS", &self.items)
            .replace(";; TRANSFORM", &self.transform)
            .replace("MEMORY_PAGES", &self.memory_pages.to_string())
            .replace("LAST_WORDS_LENGTH", &LAST_WORDS.len().to_string())
            .replace("LAST_WORDS", LAST_WORDS)
            .replace("@1.0.0", &format!("@{version}"));
        let mut module = wat::parse_str(text).expect("module.wat is WebAssembly text");

        let mut resolve = Resolve::default();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit/v1");
        let mut files: Vec<_> =
            std::fs::read_dir(folder).expect("the contract").map(|file| file.expect("a file").path()).collect();
        files.sort();
        let text: String = files.iter().map(|file| std::fs::read_to_string(file).expect("a text")).collect();
        // In one text the package is named once.
        let text = text.replace(&format!("package {CONTRACT};"), "");
        let text = format!("package {};\n{text}\n{}", self.contract, wasi::PACKAGES);
        let package = resolve.push_str("contract.wit", &text).expect("the contract parses");
        let world = resolve.select_world(&[package], Some(self.world)).expect("the world");
        wit_component::embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false)
            .expect("the metadata is embedded");
        module
    }
}

/// Bytes as they stand in WebAssembly text.
fn escaped(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |data, byte| data + &format!("\\{byte:02x}"))
}
