#!/usr/bin/env bash
# Holds the HTTP API against its own description, with requests that schemathesis makes up (tests/schemathesis/run.py).
#
# Needs HOOKWRIGHT, the hookwright binary. What it needs besides comes from PyPI, pinned, into target/schemathesis; what is
# there already is not fetched again. Arguments go to schemathesis.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=$root/target/schemathesis
wanted=$root/tests/schemathesis/requirements.txt

say() { printf 'schemathesis: %s\n' "$*" >&2; }

python_ready() { python3 -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; }

python_ready || "$root/scripts/debian.sh" "Python 3.10 or later with venv" python3 python3-venv

if ! cmp --silent "$wanted" "$venv/installed.txt"; then
  say "installing it in ${venv#"$root"/}"
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --requirement "$wanted"
  cp "$wanted" "$venv/installed.txt"
fi

HOOKWRIGHT=$(realpath "${HOOKWRIGHT:?the hookwright binary}") exec "$venv/bin/python" "$root/tests/schemathesis/run.py" "$@"
