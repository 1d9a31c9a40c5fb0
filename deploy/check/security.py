#!/usr/bin/env python3
"""Runs the pipeline on a Kafka that asks for TLS, passwords and rights, with the rights of `telex topics rights` alone.

usage: security.py TELEX_BINARY

A broker of its own (deploy/kafka/kafka.sh --secure), a small news site on loopback, and for each role of the table a user
with its rights. Then:
- the operator makes the topics, the editor of feeds adds one, each stage does its work, a canary goes through all of them,
  the consumer reads what is tagged;
- the consumer may not read pages, nor a cleaner write tagged articles;
- each stage, with any one of its rights taken away, ends within a minute with exit code 78 and names what is missing.
Needs Java, Maven (see kafka.sh) and confluent-kafka.
"""

import concurrent.futures
import contextlib
import json
import os
import re
import subprocess

from confluent_kafka import Consumer, KafkaException
from confluent_kafka.admin import (
    AclBinding, AclOperation, AclPermissionType, AdminClient, ResourcePatternType, ResourceType, ScramCredentialInfo,
    ScramMechanism, UserScramCredentialUpsertion)  # fmt: skip

from live import ITEMS, Site, free_port, get, run_check, spawn, start_kafka, wait

STAGES = ["poller", "fetcher", "cleaner", "classifier", "sink"]
# What one run of a stage takes at the most; it takes 2 s on a machine that does nothing else.
RUN_SECONDS = 60
CONFIGURATION = 78
RESOURCES = {"topic": ResourceType.TOPIC, "group": ResourceType.GROUP, "transactional-id": ResourceType.TRANSACTIONAL_ID}
PATTERNS = {"literal": ResourcePatternType.LITERAL, "prefixed": ResourcePatternType.PREFIXED}


class Cluster:
    """A secure broker, and an installation on it."""

    def __init__(self, stack, folder, binary, feed):
        self.folder, self.binary, self.feed = folder, binary, feed
        self.brokers = start_kafka(stack, folder, "--secure")
        kafka = folder / "kafka"
        self.ca = kafka / "tls/ca.pem"
        self.admin = AdminClient(self.client("admin", (kafka / "users/admin.password").read_text().strip()))
        self.passwords = {}

    def client(self, user, password=None):
        return {
            "bootstrap.servers": self.brokers,
            "security.protocol": "SASL_SSL",
            "ssl.ca.location": str(self.ca),
            "sasl.mechanisms": "SCRAM-SHA-512",
            "sasl.username": user,
            "sasl.password": password or self.passwords[user].read_text(),
        }

    def users(self, rights):
        """Makes users with rights: name to rows of the table."""
        changes, acls = [], []
        for user, rows in rights.items():
            self.passwords[user] = self.folder / f"{user}.password"
            self.passwords[user].write_text(os.urandom(16).hex())
            secret = self.passwords[user].read_bytes()
            info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
            changes.append(UserScramCredentialUpsertion(user, info, secret))
            acls += [
                AclBinding(RESOURCES[r["resource"]], r["name"], PATTERNS[r["pattern"]], f"User:{user}", "*",
                           AclOperation[r["operation"]], AclPermissionType.ALLOW)
                for r in rows
            ]  # fmt: skip
        for done in self.admin.alter_user_scram_credentials(changes).values():
            done.result()
        for done in self.admin.create_acls(acls).values():
            done.result()

    def command(self, user, *arguments, data="data"):
        """A command of a user, with its environment."""
        environment = {
            "PATH": os.environ["PATH"],
            "TELEX__BUS__KAFKA__SECURITY_PROTOCOL": "SASL_SSL",
            "TELEX__BUS__KAFKA__SSL_CA_LOCATION": str(self.ca),
            "TELEX__BUS__KAFKA__SASL_MECHANISMS": "SCRAM-SHA-512",
            "TELEX__BUS__KAFKA__SASL_USERNAME": user,
            "TELEX__BUS__KAFKA__SASL_PASSWORD_FILE": str(self.passwords[user]),
            "TELEX__BUS__KAFKA__SESSION_TIMEOUT_MS": "6000",
            "TELEX__BUS__KAFKA__HEARTBEAT_INTERVAL_MS": "500",
            "TELEX__LIMITS__HOST__REQUESTS_PER_SECOND": "1000",
            "TELEX__CANARY__INTERVAL": "1s",
        }
        command = [self.binary, *arguments, "--bus", "kafka", "--brokers", self.brokers,
                   "--data-dir", str(self.folder / data)]  # fmt: skip
        return command, environment

    def telex(self, user, *arguments, data="data"):
        command, environment = self.command(user, *arguments, data=data)
        try:
            return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=RUN_SECONDS)
        except subprocess.TimeoutExpired as late:
            return subprocess.CompletedProcess(command, "hangs", late.stdout or "", str(late.stderr or ""))

    def stage(self, user, stage, *more, **others):
        feeds = ()
        if stage == "poller":
            # A list of its own, so that there is something to write.
            own = self.folder / f"{user}.feeds"
            own.write_text(f"{self.feed}?{user}\n")
            feeds = ("--feeds", str(own))
        always = ("run", stage, "--allow-address", "127.0.0.0/8", "--fetch", "always")
        return self.telex(user, *always, *feeds, *more, **others)

    def canary_arrives(self):
        """Runs all stages at once until the sink has seen a canary."""
        with contextlib.ExitStack() as stack:
            for stage in STAGES:
                port = free_port()
                command, environment = self.command(f"telex-{stage}", "run", stage, "--metrics-listen", f"127.0.0.1:{port}")
                process = spawn(stack, command, self.folder / f"{stage}.log", env=environment)
            # Of the sink, the last of them.
            metrics = f"http://127.0.0.1:{port}/metrics"
            wait("security, a canary", lambda: re.search(r"^telex_canary_way_seconds_count [1-9]", get(metrics), re.M), process)

    def read(self, user, topic, group):
        """Records of a topic up to its end, or the error that it cannot be read for."""
        settings = {"group.id": group, "auto.offset.reset": "earliest", "enable.partition.eof": True}
        consumer = Consumer(self.client(user) | settings)
        consumer.subscribe([topic])
        found, ended = 0, set()
        try:
            while len(ended) < 12:
                record = consumer.poll(RUN_SECONDS)
                if record is None:
                    return f"nothing in {RUN_SECONDS} s"
                if record.error() is None:
                    found += 1
                elif record.error().name() == "_PARTITION_EOF":
                    ended.add(record.partition())
                else:
                    return record.error().name()
        except KafkaException as error:
            return error.args[0].name()
        finally:
            consumer.close()
        return found


def works(problems, what, done):
    if done.returncode != 0:
        problems.append(f"{what}: {done.returncode}\n{done.stderr[-1500:]}{done.stdout[-500:]}")


def with_their_rights(cluster):
    problems = []
    works(problems, "operator, topics apply", cluster.telex("telex-operator", "topics", "apply"))
    works(problems, "feeds, add", cluster.telex("telex-feeds", "feeds", "add", cluster.feed))
    works(problems, "feeds, list", cluster.telex("telex-feeds", "feeds", "list"))
    for stage in STAGES:
        works(problems, stage, cluster.stage(f"telex-{stage}", stage, "--once"))
    works(problems, "operator, doctor", cluster.telex("telex-operator", "doctor"))
    stored = cluster.telex("telex-sink", "articles", "--jsonl").stdout.count("\n")
    tagged = cluster.read("telex-consumer", "telex.tagged.ukraine.v1", "telex.consumer.check")
    if (stored, tagged) != (ITEMS, ITEMS):
        problems.append(f"{ITEMS} articles: the sink has {stored}, the consumer {tagged}")
    for user, topic in (("telex-consumer", "telex.pages.v1"), ("telex-cleaner", "telex.tagged.v1")):
        refused = cluster.read(user, topic, "telex.consumer.check" if user == "telex-consumer" else "telex.cleaner")
        if refused != "TOPIC_AUTHORIZATION_FAILED":
            problems.append(f"{user} reads {topic}: {refused}")
    cluster.canary_arrives()
    return problems


def one_less(cluster, stage, rights):
    problems = []
    for number, missing in enumerate(rights):
        # The exit handlers of OpenSSL meet threads that still use it: now and then a process that has said all ends by
        # a signal. It is asked again.
        for _ in range(3):
            done = cluster.stage(f"telex-{stage}-{number}", stage, data=f"{stage}-{number}")
            if done.returncode >= 0:
                break
        what = f"{stage} without {missing['operation']} on {missing['resource']} {missing['name']}"
        # Of a beginning the rest is known only to the process.
        named = missing["name"] in done.stderr
        if done.returncode != CONFIGURATION or not named or "allow this user" not in done.stderr:
            problems.append(f"{what}: {done.returncode}\n{done.stderr[-1500:]}")
    return problems


def check(stack, folder, site, binary):
    cluster = Cluster(stack, folder, binary, f"http://127.0.0.1:{site}/one.xml")
    table = subprocess.run([binary, "topics", "rights", "--output", "json"], check=True, capture_output=True, text=True)
    rights = {}
    for row in map(json.loads, table.stdout.splitlines()):
        rights.setdefault(row["role"], []).append(row)
    cluster.users({f"telex-{role}": rows for role, rows in rights.items()})
    cluster.users({
        f"telex-{stage}-{n}": [r for r in rights[stage] if r is not missing]
        for stage in STAGES for n, missing in enumerate(rights[stage])
    })  # fmt: skip
    problems = with_their_rights(cluster)
    if not problems:
        with concurrent.futures.ThreadPoolExecutor() as pool:
            found = pool.map(lambda stage: one_less(cluster, stage, rights[stage]), STAGES)
            problems = [p for some in found for p in some]
    count = sum(len(rights[stage]) for stage in STAGES)
    return problems, f"security: on SASL_SSL every stage works with its rights alone, and says which of {count} is missing"


run_check(__doc__, 1, Site, check)
