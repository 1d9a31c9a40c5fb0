#!/usr/bin/env bash
# Prints articles as the console tells of them, one JSON object a line, and goes on where it was: after a connection that
# broke, a console that was away, a start of its own.
#
# usage: console.sh URL STATE [QUERY]
#
#   console.sh http://127.0.0.1:8430 nato.last tag=nato
#
# STATE is a file with the id of the last event that was printed; where there is none it begins with the first. QUERY may
# hold tag and language. Needs curl. Each line is {"event": "article", "data": {...}}, or "withdrawn" with the article's id.
set -euo pipefail
url=${1:?the address of the console} state=${2:?a file for the last id} query=${3:-}

# Reads server-sent events: lines of name and value, an empty one ends an event.
take_in() {
    local line event='' id='' data=''
    while IFS= read -r line; do
        case $line in
            'event: '*) event=${line#'event: '} ;;
            'id: '*) id=${line#'id: '} ;;
            'data: '*) data+=${line#'data: '} ;;
            '')
                case $event in
                    article | withdrawn) printf '{"event": "%s", "data": %s}\n' "$event" "$data" ;;
                    # It was away longer than the console's database remembers changes, or the database is another one.
                    lost) echo "missed some: read $url/api/v1/articles for what there is" >&2 ;;
                esac
                # Kept once it is printed: an end in between prints the last event again rather than never.
                printf '%s\n' "${id:-0}" >"$state.new"
                mv "$state.new" "$state"
                event='' id='' data=''
                ;;
        esac
    done
}

while :; do
    last=0
    [[ ! -s $state ]] || last=$(<"$state")
    # The console says something every 15 s; a connection that is silent for a minute is dead.
    curl --silent --show-error --fail --no-buffer --speed-limit 1 --speed-time 60 \
        --header "Last-Event-ID: $last" "$url/api/v1/events${query:+?$query}" | take_in || true
    sleep 1
done
