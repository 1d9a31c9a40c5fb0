# Two commands do everything that a newcomer needs; each does its own set-up.
#   make demo    the whole pipeline on a small news world of its own
#   make test    every test, from unit to whole pipeline
# Others: make lint, make release, make bench-classifier (articles a second, beside regular expressions)

CARGO ?= cargo

.PHONY: demo test lint release bench-classifier setup

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

bench-classifier: setup
	$(CARGO) bench --locked --package telex-classifier --bench classify

# What building needs beside Rust: a C compiler for SQLite and Zstandard. Installed where root on Debian may.
setup:
	@command -v $(CARGO) >/dev/null || { echo "Rust is missing: install it with rustup (https://rustup.rs)"; exit 1; }
	@command -v cc >/dev/null && command -v make >/dev/null || \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -qq && apt-get install -y -qq build-essential; \
	else echo "a C compiler is missing: install gcc and make (Debian: apt-get install build-essential)"; exit 1; fi
