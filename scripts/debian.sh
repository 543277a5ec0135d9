#!/usr/bin/env bash
# debian.sh WHAT PACKAGE…: installs Debian's packages and says so; where this is no Debian it says what is to be installed first.
set -euo pipefail

what=$1
shift
as_root() { if [[ $(id -u) == 0 ]]; then "$@"; else sudo "$@"; fi; }

command -v apt-get >/dev/null || { echo "please install $what first" >&2; exit 1; }
echo "no $what found: apt-get install $*" >&2
as_root apt-get update -qq >&2 || echo "apt-get update did not work; trying with what is known" >&2
as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2
