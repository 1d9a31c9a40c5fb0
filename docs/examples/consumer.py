#!/usr/bin/env python3
"""Keeps the articles of one tag in a SQLite file: each once, in its newest revision, and none that has lost the tag.

usage: consumer.py BROKERS TOPIC [--group GROUP] [--store FILE] [--idle SECONDS] [--set KEY=VALUE]...

    consumer.py 127.0.0.1:9092 telex.tagged.ukraine.v1
    consumer.py kafka:9093 telex.tagged.nato.v1 --set security.protocol=SASL_SSL --set ssl.ca.location=ca.pem \
      --set sasl.mechanisms=SCRAM-SHA-512 --set sasl.username=me --set sasl.password=...

Needs confluent-kafka. Prints what changed; --idle ends it after so long without a record.
"""

import argparse
import json
import sqlite3
import sys

from confluent_kafka import Consumer, KafkaException

# Records of one transaction of the store: few enough that one is soon done again, many enough to be quick.
BATCH = 500


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("brokers")
    parser.add_argument("topic")
    parser.add_argument("--group", default="telex.consumer.example")
    parser.add_argument("--store", default="articles.sqlite")
    parser.add_argument("--idle", type=float, metavar="SECONDS")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    return parser.parse_args()


def take_in(store, record):
    """Puts a record into the store; says what it changed, if anything."""
    key = record.key().decode()
    if record.value() is None:
        # The article has lost the tag, or never had it: a retraction may come for what was never here.
        gone = store.execute("DELETE FROM article WHERE id = ?", (key,)).rowcount
        return {"lost": key} if gone else None
    article = json.loads(record.value())
    # What came before comes again after a crash between the two commits below, and when tags are given anew. An id with
    # a revision is always the same text.
    changed = store.execute(
        "INSERT INTO article VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET revision = excluded.revision,"
        " value = excluded.value WHERE excluded.revision > revision",
        (article["id"], article["revision"], record.value()),
    ).rowcount
    return {"article": article["id"], "revision": article["revision"], "title": article["title"]} if changed else None


def main():
    options = arguments()
    store = sqlite3.connect(options.store, isolation_level=None)
    store.execute("CREATE TABLE IF NOT EXISTS article (id TEXT PRIMARY KEY, revision INTEGER, value TEXT)")
    settings = {
        "bootstrap.servers": options.brokers,
        "group.id": options.group,
        # A new group begins with what the topic still holds.
        "auto.offset.reset": "earliest",
        # Without it a revision that was taken back is seen as well. Here it is the default, in Java it is not.
        "isolation.level": "read_committed",
        # Offsets are committed below, once the store has the articles.
        "enable.auto.commit": False,
    }
    consumer = Consumer(settings | dict(pair.split("=", 1) for pair in options.set))
    consumer.subscribe([options.topic])
    try:
        while records := consumer.consume(BATCH, options.idle or 3600):
            for error in filter(None, (record.error() for record in records)):
                raise KafkaException(error)
            store.execute("BEGIN")
            changes = [take_in(store, record) for record in records]
            store.execute("COMMIT")
            consumer.commit(asynchronous=False)
            for change in filter(None, changes):
                print(json.dumps(change), flush=True)
    except KeyboardInterrupt:
        pass
    except KafkaException as error:
        sys.exit(f"{options.topic}: {error.args[0].str()}")
    finally:
        consumer.close()


main()
