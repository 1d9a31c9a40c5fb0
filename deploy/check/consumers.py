#!/usr/bin/env python3
"""Runs the consumers of docs/examples on a live pipeline on Kafka.

usage: consumers.py TELEX_BINARY NODE_PACKAGES

A small news site, a broker of its own, and the whole pipeline on it. Each consumer must get every article once; lose the
one that has lost the tag under other topic files; and take no notice when the classifier does all its work again. The one
that reads the console's stream is killed amid it, the console is replaced meanwhile, and it must go on without a gap.
Needs Java, Maven (see kafka.sh), kcat, curl, confluent-kafka, and Node with kafkajs and lz4-napi in the folder NODE_PACKAGES.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading

from live import DEPLOY, ITEMS, Site, free_port, run_check, spawn, start_kafka, wait

EXAMPLES = DEPLOY.parent / "docs/examples"
TOPIC = "telex.tagged.ships.v1"
# Longer than it takes to join a group and get the first record, on a busy machine too.
IDLE_SECONDS = "8"
# A topic of the user's own: articles with one of these words.
SHIPS = """
[topic]
name = "ships"
about = "Ships, for a test"

[[signal]]
name = "ship"
role = "core"
concepts = ["ship"]

[[concept]]
id = "ship"
kind = "theme"
name = "ship"
words.en = "{words}"
"""


class TwoSorts(Site):
    """Every story speaks of ships, and all but one of a harbour."""

    def answer(self, status, kind, text):
        text = text.replace("NATO and Ukraine", "Ships in the harbour")
        return super().answer(status, kind, text.replace("harbour", "market") if self.path == "/story/one-0" else text)


class Installation:
    def __init__(self, stack, folder, binary, packages):
        self.folder, self.binary, self.packages = folder, binary, packages
        self.topics = folder / "topics"
        self.topics.mkdir()
        self.brokers = start_kafka(stack, folder)

    def command(self, *arguments):
        command = [self.binary, *arguments, "--bus", "kafka", "--brokers", self.brokers, "--data-dir", self.folder / "data"]
        environment = {
            "PATH": os.environ["PATH"],
            "TELEX__LIMITS__HOST__REQUESTS_PER_SECOND": "1000",
            # So slow that a reader of the stream can be killed amid it.
            "TELEX__LIMITS__SINK__MESSAGES_PER_SECOND": "20",
            "TELEX__CLASSIFIER__TOPICS": str(self.topics),
        }
        return command, environment

    def telex(self, *arguments):
        command, environment = self.command(*arguments)
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
        if done.returncode != 0:
            raise SystemExit(f"telex {arguments}: {done.returncode}\n{done.stderr[-2000:]}")

    def once(self):
        self.telex("run", "all", "--once", "--feeds", str(self.folder / "feeds.txt"), "--fetch", "always",
                   "--allow-address", "127.0.0.0/8")  # fmt: skip

    def tag(self, words):
        (self.topics / "ships.toml").write_text(SHIPS.format(words=words))

    def replay(self):
        """Has the classifier do all its work again."""
        self.telex("replay", "--stage", "classifier", "--from", "earliest")
        self.once()

    def consume(self, name):
        """What a consumer printed, as rows."""
        store = str(self.folder / f"{name}.store")
        group = f"telex.consumer.{name}"
        command = {
            "kcat": ["bash", EXAMPLES / "consumer.sh", self.brokers, TOPIC],
            "python": [sys.executable, EXAMPLES / "consumer.py", self.brokers, TOPIC, "--group", group,
                       "--store", store, "--idle", IDLE_SECONDS],
            "javascript": ["node", EXAMPLES / "consumer.mjs", self.brokers, TOPIC, group, store, IDLE_SECONDS],
        }[name]  # fmt: skip
        environment = os.environ | {"NODE_PATH": self.packages, "KAFKAJS_NO_PARTITIONER_WARNING": "1"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=180)
        if done.returncode != 0:
            raise SystemExit(f"{name}: {done.returncode}\n{done.stderr[-2000:]}")
        return [json.loads(line) for line in done.stdout.splitlines()]


class Stream:
    """The example that reads the console's stream, which may be killed and started again."""

    def __init__(self, stack, pipeline):
        self.stack, self.pipeline, self.port, self.lines = stack, pipeline, free_port(), []
        self.start_console()
        self.start()

    def start_console(self):
        listen = ["--console-listen", f"127.0.0.1:{self.port}"]
        command, environment = self.pipeline.command("run", "console", *listen)
        self.console = spawn(self.stack, command, self.pipeline.folder / "console.log", env=environment)

    def replace_console(self):
        self.console.terminate()
        if status := self.console.wait():
            raise SystemExit(f"the console, with a stream that is read: {status}")
        self.start_console()

    def start(self):
        command = ["bash", EXAMPLES / "console.sh", f"http://127.0.0.1:{self.port}", self.pipeline.folder / "stream.last", "language=en"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True)
        self.stack.callback(self.kill)
        self.reading = threading.Thread(target=lambda out: self.lines.extend(out), args=[self.process.stdout])
        self.reading.start()

    def kill(self):
        """Kills it with its curl, whatever it is at, and takes in what it had printed."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.reading.join()

    def ids(self):
        return [json.loads(line)["data"]["id"] for line in list(self.lines)]


def expect(problems, what, found, wanted):
    if found != wanted:
        problems.append(f"{what}: {found}, not {wanted}")


def kinds(rows):
    """Number of articles, and of those that lost the tag; that none came twice."""
    ids = [row["article"] for row in rows if "article" in row]
    if len(set(ids)) != len(ids):
        return "some came twice"
    return len(ids), sum("lost" in row for row in rows)


def streamed(stack, pipeline):
    """Runs the pipeline once, with a reader of the stream that is killed amid it."""
    stream = Stream(stack, pipeline)
    running = threading.Thread(target=pipeline.once)
    running.start()
    wait("the stream, its first articles", lambda: len(stream.lines) > ITEMS // 10, stream.process)
    stream.kill()
    seen = len(stream.lines)
    stream.replace_console()
    running.join()
    stream.start()
    wait("the stream, all articles", lambda: len(set(stream.ids())) >= ITEMS, stream.process)
    stream.kill()
    stream.console.terminate()
    found = stream.ids()
    # The one that was printed last before the kill may not have been noted.
    again = [article for n, article in enumerate(found) if article in found[:n]]
    if len(set(found)) != ITEMS or again not in ([], found[seen - 1 : seen]):
        return [f"the stream: {len(set(found))} of {ITEMS} articles, {len(again)} of them twice"]
    return []


def check(stack, folder, site, binary, packages):
    (folder / "feeds.txt").write_text(f"http://127.0.0.1:{site}/one.xml\n")
    pipeline = Installation(stack, folder, binary, packages)
    pipeline.tag("harbour*, ships")
    pipeline.telex("topics", "apply")
    problems = streamed(stack, pipeline)
    for name in ("python", "javascript"):
        expect(problems, f"{name}, first", kinds(pipeline.consume(name)), (ITEMS, 0))
    expect(problems, "kcat, first", len(pipeline.consume("kcat")), ITEMS)
    pipeline.tag("harbour*")
    pipeline.replay()
    for name in ("python", "javascript"):
        expect(problems, f"{name}, after a tag was lost", kinds(pipeline.consume(name)), (0, 1))
    expect(problems, "kcat, after a tag was lost", len(pipeline.consume("kcat")), ITEMS - 1)
    pipeline.replay()
    for name in ("python", "javascript"):
        expect(problems, f"{name}, after a replay", kinds(pipeline.consume(name)), (0, 0))
    expect(problems, "kcat, after a replay", len(pipeline.consume("kcat")), ITEMS - 1)
    said = "consumers: kcat, Python and JavaScript get every article once, lose a lost tag, take no notice of a replay; curl resumes"
    return problems, said


run_check(__doc__, 2, TwoSorts, check)
