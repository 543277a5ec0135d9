# Every target sets up what it needs. `make` alone says what there is.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo test bench soak openapi build plugins examples languages schemas browser screenshots lint format clippy compiler

CARGO ?= cargo
# The same flags everywhere, so that demo, tests and clippy share one build of the dependencies.
FLAGS := --workspace --features hookwright/failpoints
EXAMPLES := --manifest-path plugins-examples/Cargo.toml
# What destinations and providers published, for the tests of the plugins.
export CHECKS_SCHEMAS := $(abspath plugins-examples/schemas)
HOOKWRIGHT := $(abspath $(or $(CARGO_TARGET_DIR),target)/debug/hookwright)
RELEASE := $(abspath $(or $(CARGO_TARGET_DIR),target)/release)

help: ## Says what there is
	@grep -E '^[a-z]+:.*## ' Makefile | sed -E 's/^([a-z]+):[^#]*## /\1\t/' | awk -F'\t' '{ printf "  make %-9s %s\n", $$1, $$2 }'

demo: examples ## Shows it at work: a server, four tools side by side (ONCE=1: ends by itself)
	@$(HOOKWRIGHT) demo $(if $(ONCE),--once)

test: plugins schemas browser ## Runs all tests
	scripts/with-postgres.sh $(CARGO) test $(FLAGS)
	$(CARGO) test --workspace $(EXAMPLES)
	HOOKWRIGHT=$(HOOKWRIGHT) scripts/schemathesis.sh

bench: compiler ## Measures its speed against two limits (BENCH=--quick: in a minute; BENCH=--help)
	@echo "Building for release; the first time this takes many minutes."
	$(CARGO) build --release --workspace --bins
	HOOKWRIGHT=$(RELEASE)/hookwright scripts/plugins.sh
	@POSTGRES_FSYNC=on scripts/with-postgres.sh $(RELEASE)/hw-bench $(BENCH)

soak: examples schemas browser ## Kills, outages, frozen nodes and random cases, far more often than in the tests (half an hour)
	scripts/with-postgres.sh scripts/soak.sh $(CARGO) test $(FLAGS)
	CHECKS_CASES=5000 $(CARGO) test --workspace $(EXAMPLES) whatever_happens

openapi: build ## Renews docs/openapi.json, the description of the HTTP API
	$(HOOKWRIGHT) openapi > docs/openapi.json

build: compiler ## Builds the server (target/debug/hookwright)
	@echo "Building; the first time this takes many minutes."
	$(CARGO) build --bin hookwright $(FLAGS)

plugins: examples languages ## Builds the example plugins (plugins-examples/target/plugins)

examples: build
	HOOKWRIGHT=$(HOOKWRIGHT) scripts/plugins.sh

# Their compilers come from npm and PyPI.
languages: build
	HOOKWRIGHT=$(HOOKWRIGHT) scripts/languages.sh

# What it reads comes from npm.
schemas:
	scripts/schemas.sh

# A browser for the tests of the pages, from the system's packages.
browser:
	scripts/browser.sh

screenshots: examples browser ## Shows every page with realistic data (target/screenshots)
	$(CARGO) build --bin hw-screenshots $(FLAGS)
	$(abspath $(or $(CARGO_TARGET_DIR),target)/debug/hw-screenshots)

lint: format clippy ## Checks format and lints

format:
	@$(CARGO) fmt --version >/dev/null 2>&1 || rustup component add rustfmt
	$(CARGO) fmt --all --check
	$(CARGO) fmt $(EXAMPLES) --all --check

clippy: compiler
	@$(CARGO) clippy --version >/dev/null 2>&1 || rustup component add clippy
	$(CARGO) clippy --all-targets $(FLAGS) -- -D warnings
	$(CARGO) clippy --all-targets --workspace $(EXAMPLES) -- -D warnings

# TLS and SQLite are partly C.
compiler:
	@command -v cc >/dev/null && exit 0; \
	command -v apt-get >/dev/null || { echo "Please install a C compiler (cc) first." >&2; exit 1; }; \
	echo "No C compiler (cc) found: installing Debian's build-essential."; \
	as_root=; [ "$$(id -u)" = 0 ] || as_root=sudo; \
	$$as_root apt-get update -qq; \
	$$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq build-essential
