#!/usr/bin/env bash
# Builds the plugins in other languages than Rust with the compilers that their authors use, which it installs beside them
# if need be, and says on stderr what it does.
#
# Needs HOOKWRIGHT, the hookwright binary. Components go to plugins-examples/target/plugins/; what has not changed since is
# not built again.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
examples=$root/plugins-examples/languages
guests=$root/tests/guests
target=$root/plugins-examples/target
plugins=$target/plugins
venv=$target/python
hookwright=$(realpath "${HOOKWRIGHT:?the hookwright binary}")

say() { printf 'languages: %s\n' "$*" >&2; }

# What a plugin is made of: a change of any of it makes it anew.
sources() {
  local folder
  for folder in "$@"; do
    find -L "$folder" \( -name node_modules -o -name target -o -name __pycache__ -o -name build -o -name '*.egg-info' -o \
      -path "$root/sdk/javascript/wit" \) -prune -o -type f -print0
  done | sort -z | xargs -0 sha256sum
}

# stamped STAMP TEXT: whether the stamp says this already.
stamped() { [[ -f $1 && $(<"$1") == "$2" ]]; }

# Runs a command, and shows what it said if it failed.
quietly() {
  local said
  said=$("$@" 2>&1) || { printf '%s\n' "$said" >&2; return 1; }
}

# build LANGUAGE FOLDER: FOLDER's plugin.toml says its name.
build() {
  local language=$1 folder=$2 name state
  name=$(sed -n 's/^name = "\(.*\)"/\1/p' "$folder/plugin.toml")
  state=$(sources "$folder" "$root/sdk/$language" "$root/wit" | sha256sum)
  if [[ -f $plugins/$name.wasm ]] && stamped "$plugins/$name.stamp" "$state"; then
    return
  fi
  say "building $name"
  "componentize_$language" "$folder"
  "$hookwright" plugin build "$folder" --component "$folder/target/component.wasm" --output "$plugins/$name.wasm"
  printf '%s\n' "$state" >"$plugins/$name.stamp"
}

componentize_javascript() {
  # The package's own copy of the contract, which not every npm makes by itself.
  cp -r "$root/wit/v1/." "$root/sdk/javascript/wit"
  # The same version of it, with other files: npm would keep what is there.
  rm -rf "$1/node_modules/hookwright-sdk" "$1/node_modules/.package-lock.json"
  # Not `npm ci`, which misses bindings for other systems that their author never published; the lock file counts all the
  # same.
  (cd "$1" && quietly npm install --no-save --no-audit --no-fund && npm run --silent build)
}

python_ready() { python3 -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; }

componentize_python() { "$venv/bin/hookwright-componentize" "$1"; }

# One folder of packages for all plugins.
prepare_python() {
  local state
  state=$(sources "$root/sdk/python" "$root/wit" | sha256sum)
  if ! stamped "$venv/stamp" "$state"; then
    say "installing what plugins in Python need in ${venv#"$root"/}"
    python3 -m venv "$venv"
    (cd "$examples/python" &&
      quietly "$venv/bin/pip" install --disable-pip-version-check --upgrade --requirement requirements.txt)
    printf '%s\n' "$state" >"$venv/stamp"
  fi
}

"$root/scripts/node.sh"
python_ready || "$root/scripts/debian.sh" "Python 3.10 or later with venv" python3 python3-venv

mkdir -p "$plugins"
jobs=()
# Side by side, but for those that make the same package.
(
  for folder in "$examples/javascript" "$guests/javascript"; do build javascript "$folder"; done
) &
jobs+=($!)
prepare_python
for folder in "$examples/python" "$guests/python"; do
  build python "$folder" &
  jobs+=($!)
done
for job in "${jobs[@]}"; do wait "$job"; done
