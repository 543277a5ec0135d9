#!/usr/bin/env bash
# Runs the durability tests many more times than `make test` does, one group after the other, because they are about time
# and must not take it from each other. Shows in the end what came of each.
#
#   scripts/with-postgres.sh scripts/soak.sh cargo test …
#
# How often is in the environment; HOOKWRIGHT_TEST_SEED repeats the random choices of an earlier run.
set -euo pipefail

export HOOKWRIGHT_SOAK_KILLS=${HOOKWRIGHT_SOAK_KILLS:-100}
export HOOKWRIGHT_SOAK_OUTAGES=${HOOKWRIGHT_SOAK_OUTAGES:-100}
export HOOKWRIGHT_SOAK_NODE_KILLS=${HOOKWRIGHT_SOAK_NODE_KILLS:-10}
export HOOKWRIGHT_SOAK_NODE_FREEZES=${HOOKWRIGHT_SOAK_NODE_FREEZES:-10}
export HOOKWRIGHT_MODEL_CASES=${HOOKWRIGHT_MODEL_CASES:-10000}
export HOOKWRIGHT_PLUGIN_CASES=${HOOKWRIGHT_PLUGIN_CASES:-5000}
export RUST_BACKTRACE=${RUST_BACKTRACE:-0}

log=$(mktemp)
trap 'rm -f "$log"' EXIT
failed=()
for group in kills:: outages:: failover:: conformance::model:: arbitrary_json; do
  printf '\n== %s\n' "$group"
  "$@" -- --nocapture "$group" 2>&1 | tee -a "$log" || failed+=("$group")
done

printf '\n'
grep '^soak: ' "$log" | sed 's/^soak: //' || true
if (( ${#failed[@]} )); then
  printf 'failed: %s\n' "${failed[*]}"
  exit 1
fi
