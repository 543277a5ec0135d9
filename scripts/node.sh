#!/usr/bin/env bash
# Gets Node.js 18 or later with npm: Debian's packages, when it is missing and this is Debian.
set -euo pipefail

ready() { command -v npm >/dev/null && node -e 'process.exit(Number.parseInt(process.versions.node) < 18 ? 1 : 0)'; }

ready || "$(dirname "${BASH_SOURCE[0]}")/debian.sh" "Node.js 18 or later" nodejs npm
