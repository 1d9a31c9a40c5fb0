# Two commands do everything that a newcomer needs; each does its own set-up.
#   make demo    the whole pipeline on a small news world of its own
#   make test    every test, from unit to whole pipeline
# Others: make lint, make release, make bench-cleaner

CARGO ?= cargo

.PHONY: demo test lint release bench-cleaner setup

demo: setup
	$(CARGO) build --release --locked --package telex
	./target/release/telex demo

test: setup
	$(CARGO) test --workspace --locked

lint: setup
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- --deny warnings

release: setup
	$(CARGO) build --release --locked --package telex

# The cleaner beside other extractors: how right and how fast, in one run. PAGES is a folder of sets of pages (see
# crates/cleaner/peers); without it, the pages of the test site.
bench-cleaner: setup
	$(CARGO) run --release --locked --manifest-path crates/cleaner/peers/Cargo.toml --target-dir target/peers -- $(PAGES)

# What building needs beside Rust: a C compiler for SQLite and Zstandard. Installed where root on Debian may.
setup:
	@command -v $(CARGO) >/dev/null || { echo "Rust is missing: install it with rustup (https://rustup.rs)"; exit 1; }
	@command -v cc >/dev/null && command -v make >/dev/null || \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -qq && apt-get install -y -qq build-essential; \
	else echo "a C compiler is missing: install gcc and make (Debian: apt-get install build-essential)"; exit 1; fi
