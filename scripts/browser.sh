#!/usr/bin/env bash
# Gets what the tests of the pages need: a browser (Debian's chromium, from the system's own packages, when there is none), and
# axe-core from npm, which tells what keeps people from using a page. Downloads no browser of its own.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
axe=$root/tests/axe

command -v chromium >/dev/null || "$root/scripts/debian.sh" "chromium" chromium
[[ $(chromium --version 2>/dev/null) == Chromium* ]] || { echo "browser: chromium does not start" >&2; exit 1; }

"$root/scripts/node.sh"
cd "$axe"
if ! cmp -s package-lock.json node_modules/.installed; then
  echo "browser: installing axe-core in ${axe#"$root"/}/node_modules" >&2
  npm ci --silent --ignore-scripts --no-audit --no-fund
  cp package-lock.json node_modules/.installed
fi
