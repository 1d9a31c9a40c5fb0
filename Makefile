# Two commands do everything that a newcomer needs; each does its own set-up.
#   make demo    the whole pipeline on a small news world of its own
#   make test    every test, from unit to whole pipeline
# Others: make kafka (a real Apache Kafka to try things on), make faults (long campaigns of faults), make properties
# (much random input), make lint, make release, make bench-cleaner and make bench-classifier (beside their peers),
# make deploy-check (everything in deploy/), make browser (the console in a real browser)

CARGO ?= cargo

# Tests leave a note there when they found no Kafka, or no PostgreSQL.
NO_KAFKA = $(or $(CARGO_TARGET_DIR),target)/tmp/nothing-tested-on-kafka
NO_POSTGRES = $(or $(CARGO_TARGET_DIR),target)/tmp/nothing-tested-on-postgres

.PHONY: demo test kafka faults properties browser lint release bench-cleaner bench-classifier deploy-check setup \
  setup-kafka setup-postgres setup-deploy-check

demo: setup
	$(CARGO) build --release --locked --package telex
	./target/release/telex demo

# Properties are held against the same cases each time, so that what passed passes again; make properties makes others.
test: setup setup-kafka setup-postgres
	@rm -f $(NO_KAFKA) $(NO_POSTGRES)
	PROPTEST_RNG_SEED=1 $(CARGO) test --workspace --locked
	@if [ -e $(NO_KAFKA) ]; then \
	  echo "all tests passed, BUT NOTHING WAS TESTED ON KAFKA: $$(cat $(NO_KAFKA))"; \
	else echo "all tests passed, those on a real Kafka among them"; fi
	@if [ -e $(NO_POSTGRES) ]; then \
	  echo "BUT NOTHING WAS TESTED ON POSTGRESQL: $$(cat $(NO_POSTGRES))"; \
	else echo "and those on a real PostgreSQL"; fi

# Starts a broker that stays, with what it holds, until it is told to stop.
kafka: setup-kafka
	@address=$$(deploy/kafka/kafka.sh up) && echo "Apache Kafka runs at $$address" && \
	echo "  telex topics apply --bus kafka --brokers $$address" && \
	echo "  telex run all --feeds feeds.opml --bus kafka --brokers $$address" && \
	echo "stop it:  deploy/kafka/kafka.sh down"

# So many faults a campaign; each says its seed, and TELEX_FAULTS_SEED repeats one.
FAULTS ?= 100

faults: setup setup-kafka
	TELEX_FAULTS=$(FAULTS) $(CARGO) test --locked --package telex --test pipeline -- \
	  faults:: brokers_die --include-ignored --nocapture --test-threads 1

# What must hold for any feed, page, address, text and search, on so many fresh cases each.
CASES ?= 20000

properties: setup
	PROPTEST_CASES=$(CASES) $(CARGO) test --release --locked --package telex-model --package telex-web \
	  --package telex-feed --package telex-poller --package telex-cleaner --package telex-classifier --package telex-sink

# The console in headless Chromium, driven by playwright-core, with axe for accessibility.
browser: setup
	tests/browser/browser.sh

lint: setup
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- --deny warnings

release: setup
	$(CARGO) build --release --locked --package telex

# The cleaner beside other extractors: how right and how fast, in one run. PAGES is a folder of sets of pages (see
# crates/cleaner/peers); without it, the pages of the test site.
bench-cleaner: setup
	$(CARGO) run --release --locked --manifest-path crates/cleaner/peers/Cargo.toml --target-dir target/peers -- $(PAGES)

bench-classifier: setup
	$(CARGO) bench --locked --package telex-classifier --bench classify

# The binary whose metrics dashboards and alerts are held against; the newest that was built.
TELEX ?= $(shell cd $(or $(CARGO_TARGET_DIR),target) 2>/dev/null && ls -t $$PWD/*/telex 2>/dev/null | head -n 1)

# Containers, chart, rules and dashboards, as far as that goes without a container engine and a cluster.
deploy-check: setup-deploy-check setup-kafka
	@deploy/check/check.sh $(TELEX)

# What building needs beside Rust: a C compiler for SQLite and the Kafka client, and Perl for its OpenSSL. Installed
# where root on Debian may.
setup:
	@command -v $(CARGO) >/dev/null || { echo "Rust is missing: install it with rustup (https://rustup.rs)"; exit 1; }
	@command -v cc >/dev/null && command -v make >/dev/null && command -v perl >/dev/null || \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -qq && apt-get install -y -qq build-essential; \
	else echo "gcc, make or perl is missing: install them (Debian: apt-get install build-essential)"; exit 1; fi

# What a local Kafka needs: Java, Maven to fetch it, and kcat, the client that looks at it from outside. Where they
# cannot be had the tests go on without a broker and say so.
setup-kafka:
	@if [ -n "$$TELEX_TEST_KAFKA" ] || { command -v java && command -v mvn && command -v kcat; } >/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -qq && apt-get install -y -qq default-jre-headless maven kcat || \
	  echo "Java, Maven or kcat cannot be installed"; \
	else echo "Java 17, Maven or kcat is missing (Debian: apt-get install default-jre-headless maven kcat)"; fi

# PostgreSQL's programs, for the servers that tests make and end. The service that Debian starts with them is not used.
setup-postgres:
	@if ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -qq && apt-get install -y -qq postgresql || echo "PostgreSQL cannot be installed"; \
	else echo "PostgreSQL is missing (Debian: apt-get install postgresql)"; fi

# Prometheus with promtool, and Python for what comes from PyPI.
setup-deploy-check:
	@if { command -v prometheus && command -v promtool && python3 -c 'import ensurepip'; } >/dev/null 2>&1; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -qq && apt-get install -y -qq --no-install-recommends prometheus python3-venv >/dev/null; \
	else echo "prometheus, promtool or Python's venv is missing (Debian: apt-get install prometheus python3-venv)"; exit 1; fi
