#!/usr/bin/env bash
# Installs what destinations and providers publish as packages, so that the tests of the example plugins can look at it, and
# tests that it refuses what is wrong. What has not changed since is not done again.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
schemas=$root/plugins-examples/schemas
stamp=$root/plugins-examples/target/schemas/stamp

"$root/scripts/node.sh"
cd "$schemas"
state=$(find . -name node_modules -prune -o -type f -print0 | sort -z | xargs -0 sha256sum; node --version)
if [[ ! -d node_modules || ! -f $stamp || $(<"$stamp") != "$state" ]]; then
  echo "schemas: installing what is published in ${schemas#"$root"/}/node_modules" >&2
  npm ci --silent --ignore-scripts --no-audit --no-fund
  npm run --silent build
  printf '%s\n' "$state" >"$stamp"
fi
said=$(npm test --silent 2>&1) || { printf '%s\n' "$said" >&2; exit 1; }
