#!/usr/bin/env bash
# Prints the articles that have a tag now, newest revision each, one JSON object a line, from what the topic still holds.
#
# usage: consumer.sh BROKERS TOPIC [KCAT_OPTION]...
#
# Needs kcat. It reads all of the topic each time and commits nothing; to go on where you were, take consumer.py.
set -euo pipefail
brokers=${1:?brokers} topic=${2:?topic}
shift 2

# Without read_committed a revision that was taken back is seen as well. %S is the length of the value, -1 for none: the
# article of this key has lost the tag. Later records of a key replace earlier ones; all of a key are in one partition.
kcat -C -q -e -b "$brokers" -t "$topic" -o beginning -X isolation.level=read_committed -f '%k\t%S\t%s\n' "$@" |
    awk -F '\t' '{
        key = $1
        if ($2 == -1) { delete value[key]; next }
        sub(/^[^\t]*\t[^\t]*\t/, "")
        value[key] = $0
    } END { for (key in value) print value[key] }'
