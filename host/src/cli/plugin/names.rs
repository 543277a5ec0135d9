//! The names of a module's functions, for traps that say where they happened: mangled they can be a quarter of a plugin.

use wasm_encoder::{Component, Module, NameMap, NameSection, RawSection};
use wasmparser::{KnownCustom, Name, Parser, Payload};

use super::derived;
use crate::cli::Failure;
use crate::sandbox::is_machinery;

/// Sections that nothing reads: the schema is in the manifest, what compiled it is nobody's business.
const UNNEEDED: [&str; 3] = [derived::SECTION, "producers", "target_features"];

/// The module with its names as people read them, and without what no run and no trap ever needs.
pub(super) fn shortened(module: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut out = Module::new();
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload?;
        if let Payload::CustomSection(section) = &payload
            && let KnownCustom::Name(names) = section.as_known()
        {
            out.section(&told(names)?);
        } else if matches!(&payload, Payload::CustomSection(section) if UNNEEDED.contains(&section.name())) {
            // Left out.
        } else if let Some((id, range)) = payload.as_section() {
            let (start, end) = (usize::try_from(range.start)?, usize::try_from(range.end)?);
            out.section(&RawSection { id, data: &module[start..end] });
        }
    }
    Ok(out.finish())
}

/// A component without what tells of how it was wrapped: names of its parts, and by which program.
pub(super) fn trimmed(component: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut out = Component::new();
    let mut depth = 0;
    for payload in Parser::new(0).parse_all(component) {
        let payload = payload?;
        match &payload {
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            Payload::CustomSection(_) => {}
            // What is in its modules stands in them.
            _ if depth > 1 => {}
            _ => {
                if let Some((id, range)) = payload.as_section() {
                    let (start, end) = (usize::try_from(range.start)?, usize::try_from(range.end)?);
                    out.section(&RawSection { id, data: &component[start..end] });
                }
            }
        }
    }
    Ok(out.finish())
}

fn told(names: wasmparser::NameSectionReader<'_>) -> Result<NameSection, Failure> {
    let mut functions = NameMap::new();
    for names in names {
        let Name::Function(names) = names? else { continue };
        for naming in names {
            let naming = naming?;
            let name = format!("{:#}", rustc_demangle::demangle(naming.name));
            if !is_machinery(&name) {
                functions.append(naming.index, &name);
            }
        }
    }
    let mut section = NameSection::new();
    section.functions(&functions);
    Ok(section)
}

#[cfg(test)]
mod tests {
    use wasm_encoder::{
        CodeSection, ComponentTypeSection, CustomSection, Function, FunctionSection, ModuleSection, TypeSection,
    };

    use super::*;

    fn module(names: &[(u32, &str)]) -> Module {
        let mut module = Module::new();
        let mut types = TypeSection::new();
        types.ty().function([], []);
        let (mut functions, mut code) = (FunctionSection::new(), CodeSection::new());
        for _ in 0..3 {
            functions.function(0);
            let mut body = Function::new([]);
            body.instructions().end();
            code.function(&body);
        }
        let mut map = NameMap::new();
        for (index, name) in names {
            map.append(*index, name);
        }
        let mut section = NameSection::new();
        section.module("slack");
        section.functions(&map);
        let other = CustomSection { name: "other".into(), data: b"kept".as_slice().into() };
        module.section(&types).section(&functions).section(&code).section(&section).section(&other);
        module
    }

    #[test]
    fn names_are_readable_and_machinery_has_none() {
        let long = [
            (0, "_ZN5slack8messages7message17h8ed2212550122d03E"),
            (1, "_ZN4core3ptr50drop_in_place$LT$alloc..borrow..Cow$LT$str$GT$$GT$17h01cc8a481d46a3bdE"),
            (2, "_ZN63_$LT$slack..Slack$u20$as$u20$hookwright_sdk..plugin..Plugin$GT$9transform17ha676a844e55f686cE"),
        ];
        let short = module(&[
            (0, "slack::messages::message"),
            (2, "<slack::Slack as hookwright_sdk::plugin::Plugin>::transform"),
        ]);
        // The module's own name is not told either.
        let short = shortened(&short.finish()).unwrap();
        assert_eq!(shortened(&module(&long).finish()).unwrap(), short);
        let has = |text: &str| short.windows(text.len()).any(|bytes| bytes == text.as_bytes());
        assert!(has("slack::messages::message") && has("kept") && !has("drop_in_place") && !has("_ZN"));
    }

    #[test]
    fn a_component_keeps_its_parts_and_their_names() {
        let (core, mut types) = (module(&[(0, "inner")]), ComponentTypeSection::new());
        types.defined_type().list(wasm_encoder::PrimitiveValType::U8);
        let custom = CustomSection { name: "component-name".into(), data: b"outer".as_slice().into() };
        let mut whole = Component::new();
        whole.section(&ModuleSection(&core)).section(&types).section(&custom);
        let mut wanted = Component::new();
        wanted.section(&ModuleSection(&core)).section(&types);
        assert_eq!(trimmed(&whole.finish()).unwrap(), wanted.finish());
    }

    #[test]
    fn what_is_no_module_is_told() {
        assert!(shortened(b"no module").is_err());
    }
}
