#!/usr/bin/env bash
# Builds the sample plugins: core modules in plugins-examples/target/wasm32-unknown-unknown/release/, and,
# when HOOKWRIGHT names the hookwright binary, plugins ready for upload in plugins-examples/target/plugins/.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
examples=$root/plugins-examples
modules=$examples/target/wasm32-unknown-unknown/release
plugins=$examples/target/plugins

# Relative names would change their meaning with the folder.
hookwright=${HOOKWRIGHT:+$(realpath "$HOOKWRIGHT")}

# From inside the workspace, because its .cargo/config.toml counts only there.
(cd "$examples" && CARGO_TARGET_DIR=$examples/target "$root/scripts/wasm-target.sh" build --release --locked)

if [[ -z $hookwright ]]; then
  echo "plugins: core modules are in ${modules#"$root"/}; set HOOKWRIGHT to make plugins of them" >&2
  exit
fi

mkdir -p "$plugins"
for manifest in "$examples"/*/plugin.toml; do
  folder=$(dirname "$manifest")
  name=$(basename "$folder")
  # What cargo calls the file.
  module=$modules/${name//-/_}.wasm
  "$hookwright" plugin build "$folder" --module "$module" --output "$plugins/$name.wasm"
done
