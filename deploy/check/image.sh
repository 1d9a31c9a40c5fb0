#!/usr/bin/env bash
# Runs an image of Telex the way Compose and chart do, and looks whether it is what deploy/container/Dockerfile promises:
# its user, its health check, no shell, the bill of materials; read-only and without capabilities the whole pipeline
# becomes healthy on the embedded bus, the console answers, and SIGTERM ends it with exit code 0.
#
# usage: image.sh IMAGE        for example telex:0.1.0
#
# Needs a container engine (docker, or what DOCKER names), curl and Python. Takes half a minute.
set -euo pipefail
image=${1:?the image}
docker=${DOCKER:-docker}
container=telex-check-$$
# Of docker stop, as in Compose: more than the 25 s that a process takes at most.
grace=30
start_seconds=120

fail() {
    echo "image: $*" >&2
    "$docker" logs "$container" 2>&1 | tail -n 20 >&2 || true
    exit 1
}
remove() {
    "$docker" rm --force --volumes "$container" >/dev/null 2>&1 || true
    "$docker" volume rm "$container" >/dev/null 2>&1 || true
}
trap remove EXIT

told=$("$docker" image inspect --format '{{.Config.User}} {{json .Config.Healthcheck.Test}} {{.Config.StopSignal}}' "$image")
[[ $told == '65532:65532 ["CMD","/usr/local/bin/telex","health"] SIGTERM' ]] || fail "user, health check, signal: $told"
if "$docker" run --rm --entrypoint /bin/sh "$image" -c true >/dev/null 2>&1; then
    fail "there is a shell in it"
fi

# The port is one of loopback that is free.
"$docker" run --detach --name "$container" --read-only --cap-drop ALL --security-opt no-new-privileges:true \
    --user 65532:65532 --memory 512m --volume "$container:/data" --publish 127.0.0.1::8430 \
    --env TELEX__CONSOLE__LISTEN=0.0.0.0:8430 "$image" run all >/dev/null
components=$("$docker" cp "$container:/usr/share/doc/telex/sbom.cdx.json" - | tar --extract --to-stdout |
    python3 -c 'import json, sys; bom = json.load(sys.stdin); assert bom["specVersion"] == "1.6"; print(len(bom["components"]))')
((components > 100)) || fail "its bill of materials names $components components"

for ((i = 0; i < start_seconds; i++)); do
    health=$("$docker" inspect --format '{{.State.Health.Status}}' "$container")
    [[ $health != healthy ]] || break
    sleep 1
done
[[ $health == healthy ]] || fail "$health after $start_seconds s"
address=$("$docker" port "$container" 8430/tcp | head -n 1)
for path in / /articles /api/v1/status /api/v1/openapi.json; do
    curl --silent --show-error --fail --max-time 30 --output /dev/null "http://$address$path" || fail "the console: $path"
done
memory=$("$docker" stats --no-stream --format '{{.MemUsage}}' "$container")

"$docker" stop --time "$grace" "$container" >/dev/null
code=$("$docker" inspect --format '{{.State.ExitCode}}' "$container")
[[ $code == 0 ]] || fail "SIGTERM ends it with exit code $code"
size=$(("$("$docker" image inspect --format '{{.Size}}' "$image")" / 1000000))
echo "image: $size MB, hardened, healthy with a console that answers ($memory), ends with 0; $components components in its bill"
