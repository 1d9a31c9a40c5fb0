#!/usr/bin/env bash
# Checks everything in deploy/ that can be checked without a container engine and a cluster. Each check prints one line
# of what it verified; the first that fails ends it. Called by `make deploy-check`, which installs what it needs.
#
# usage: check.sh [TELEX_BINARY]    without a binary the queries are not run against a live pipeline, and it says so
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

tools=${CARGO_TARGET_DIR:-target}/deploy-check
wanted=deploy/check/requirements.txt
log=$tools/log

mkdir -p "$tools"
if ! cmp -s "$wanted" "$tools/installed"; then
    python3 -m venv "$tools/venv"
    "$tools/venv/bin/pip" --quiet --disable-pip-version-check install --requirement "$wanted"
    cp "$wanted" "$tools/installed"
fi
PATH=$(realpath "$tools/venv/bin"):$PATH

# Runs a command; shows what it printed only if it fails.
quietly() {
    "$@" >"$log" 2>&1 || {
        cat "$log" >&2
        echo "failed: $*" >&2
        exit 1
    }
}

quietly shellcheck deploy/*/*.sh docs/examples/*.sh
quietly pyflakes deploy/check/*.py deploy/container/*.py deploy/grafana/*.py docs/examples/*.py
echo "scripts: shellcheck and pyflakes have nothing against them"
quietly promtool check config --syntax-only deploy/prometheus/prometheus.yml
quietly promtool check rules deploy/prometheus/telex.rules.yml
quietly promtool test rules deploy/prometheus/*.test.yml
echo "prometheus: configuration, rules and their unit tests"
python deploy/check/rules.py
python deploy/check/documents.py ${1:+"$1"}
deploy/grafana/dashboards.py --check
echo "grafana: dashboards are what dashboards.py writes"
quietly yamllint --strict --config-file deploy/check/yamllint.yml deploy/prometheus deploy/compose

quietly hadolint --failure-threshold style deploy/container/Dockerfile
channel=$(sed -n 's/^channel = "\(.*\)"/\1/p' rust-toolchain.toml)
quietly grep -q "rust:$channel-" deploy/container/Dockerfile
quietly grep -q "RUSTUP_TOOLCHAIN=$channel\$" deploy/container/Dockerfile
echo "container: the Dockerfile passes hadolint and builds with the toolchain of the repository"
# Each profile as it comes, all of them together, and the file that is laid over them.
rendered=$tools/compose
rm -rf "$rendered" && mkdir "$rendered"
render() {
    local name=$1
    shift
    quietly docker-compose --file deploy/compose/compose.yml "$@" config --quiet
    docker-compose --file deploy/compose/compose.yml "$@" config --format json >"$rendered/$name.json"
}
render default
render monitoring --profile monitoring
render postgres --profile postgres
render all --profile '*'
TELEX_WEBSUB_URL=https://news.example.org/websub TELEX_WEBSUB_SECRET=/dev/null \
    render websub --file deploy/compose/websub.yml
python deploy/check/compose.py "$rendered" ${1:+"$1"}

CUSTOM_RESOURCES=$tools/custom.json python deploy/check/chart.py ${1:+"$1"}
quietly cargo-deny --locked check --hide-inclusion-graph bans licenses sources
echo "dependencies: licences, bans and sources as deny.toml says"
python deploy/check/sbom.py
# Building it takes a container engine, and a quarter of an hour.
if [[ -n ${TELEX_CHECK_IMAGE:-} ]]; then
    deploy/check/image.sh "$TELEX_CHECK_IMAGE"
else
    echo "NOT CHECKED: a built image, for TELEX_CHECK_IMAGE names none"
fi

packages=$tools/npm/node_modules
if command -v npm >/dev/null; then
    # Pinned here: a few packages are no project. Their install scripts would fetch from elsewhere.
    quietly npm install --prefix "$tools/npm" --no-save --no-audit --no-fund --ignore-scripts \
        @kubernetes-models/keda@2.0.0 @kubernetes-models/prometheus-operator@6.0.0 @asyncapi/parser@3.6.3 \
        kafkajs@2.2.4 lz4-napi@2.10.0
    node deploy/check/custom.mjs "$(realpath "$tools/npm")" "$tools/custom.json"
    node deploy/check/asyncapi.mjs "$(realpath "$tools/npm")" crates/model/schemas/telex.asyncapi.json
else
    echo "NOT CHECKED: custom resources of the chart, the AsyncAPI document, consumer in JavaScript, for npm is missing"
fi

if [[ -z ${1:-} ]]; then
    echo "NOT CHECKED: queries against a live pipeline, rights, consumers, for there is no binary (make release)"
    exit
fi
deploy/check/live.py "$1"
if command -v java >/dev/null && command -v mvn >/dev/null && command -v kcat >/dev/null; then
    # Clients of brokers that are gone complain until they end.
    python -B deploy/check/security.py "$1" 2>"$log" || { cat "$log" >&2 && exit 1; }
    python -B deploy/check/consumers.py "$1" "$packages"
    # Takes more than a minute, and time is what it is about: for a machine that does nothing else.
    [[ -z ${TELEX_CHECK_AUTOSCALING:-} ]] || python -B deploy/check/autoscaling.py "$1"
else
    echo "NOT CHECKED: rights, passwords, certificates and consumers on a Kafka, for Java, Maven or kcat is missing"
fi
