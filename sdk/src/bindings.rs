//! The contract as generated from `wit/v1`. Not for plugin authors: names here may change.

// Written by a macro whose style is not ours to choose.
#![allow(clippy::all, clippy::pedantic, missing_debug_implementations, unreachable_pub, rust_2018_idioms)]

/// World `plugin`: all types, `logging` and `transformer`.
pub mod plugin {
    wit_bindgen::generate!({
        path: "../wit/v1",
        world: "plugin",
        additional_derives: [PartialEq, Eq],
        generate_unused_types: true,
        pub_export_macro: true,
        export_macro_name: "export_transformer",
    });
}

/// What world `plugin-interpreting` adds to world `plugin`. A plugin that exports both is exactly of that
/// world: generating it whole would define `transformer` a second time.
pub mod interpreting {
    wit_bindgen::generate!({
        inline: "
            package hookwright:sdk;
            world interpreting {
                import hookwright:plugin/memory@1.0.0;
                export hookwright:plugin/interpreter@1.0.0;
            }
        ",
        path: "../wit/v1",
        world: "hookwright:sdk/interpreting",
        with: {
            "hookwright:plugin/types@1.0.0": super::plugin::hookwright::plugin::types,
            "hookwright:plugin/memory@1.0.0": generate,
            "hookwright:plugin/interpreter@1.0.0": generate,
        },
        pub_export_macro: true,
        export_macro_name: "export_interpreter",
    });
}

pub use plugin::hookwright::plugin::types;
