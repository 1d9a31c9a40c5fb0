#!/usr/bin/env python3
"""Scales stages on a live Kafka as KEDA would by the chart's ScaledObjects.

usage: autoscaling.py TELEX_BINARY

There is no cluster here: stages are processes, a real Prometheus scrapes them under the job that the chart's PodMonitor
makes, and this file does what KEDA and the autoscaler of Kubernetes do with a ScaledObject of the rendered chart: ask
its query, divide by its threshold, round up, stay between minimum and maximum, up at once, down when the highest of a
while allows it. Each stage that is scaled starts with a backlog that the stages before it have made. Then:
- under the backlog there are as many processes as the maximum, never more, and never more than partitions;
- every one of them has partitions of its own;
- drained, the query gives exactly 0 and the minimum is left, which still says so;
- processes that are taken out end with exit code 0, and every article arrives once.
The sink stores in a PostgreSQL of its own. Left out: Kubernetes adds 4 pods or as many as there are in 15 s; the while is
5 minutes there and seconds here. Needs prometheus, PostgreSQL, Java and Maven (see kafka.sh). Takes about two minutes.
"""

import json
import math
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import yaml

from chart import GOLDEN, parsed, render
from live import ITEMS, Site, free_port, get, run_check, spawn, start_kafka, start_prometheus, wait

PARTITIONS = 12
FEEDS = 8
# A backlog of 320 is to be one for more processes than there are partitions; thousands would take minutes to make.
LAG_PER_REPLICA = 20
# So slow that a backlog outlasts the start of 12 processes; but a process joins its group anew only after the batch that
# it has begun, which may be most of the backlog.
MESSAGES_PER_SECOND = 30
# In place of stabilizationWindowSeconds: longer than the group takes to share its partitions anew.
WINDOW_SECONDS = 6
MOST_SECONDS = 150


class ManyFeeds(Site):
    def do_GET(self):  # noqa: N802 - the name is the library's
        if self.path.startswith("/many-"):
            return self.answer(200, "application/rss+xml", self.feed(self.path[6:], "</channel></rss>"))
        return super().do_GET()


class Installation:
    """Stages as processes on a Kafka of their own."""

    def __init__(self, stack, folder, binary, database):
        self.stack, self.folder, self.binary = stack, folder, binary
        self.brokers = start_kafka(stack, folder)
        self.environment = {
            "PATH": os.environ["PATH"],
            # The group hears of a process that comes or goes by heartbeats.
            "TELEX__BUS__KAFKA__SESSION_TIMEOUT_MS": "6000",
            "TELEX__BUS__KAFKA__HEARTBEAT_INTERVAL_MS": "500",
            "TELEX__LIMITS__HOST__REQUESTS_PER_SECOND": "1000",
            "TELEX__LIMITS__CLEANER__MESSAGES_PER_SECOND": str(MESSAGES_PER_SECOND),
            "TELEX__LIMITS__CLASSIFIER__MESSAGES_PER_SECOND": str(MESSAGES_PER_SECOND),
            "TELEX__LIMITS__SINK__MESSAGES_PER_SECOND": str(MESSAGES_PER_SECOND),
            "TELEX__SINK__SQLITE": "false",
            "TELEX__SINK__POSTGRES__URL": database,
        }

    def command(self, name, *arguments):
        place = ("--bus", "kafka", "--brokers", self.brokers, "--data-dir", str(self.folder / name))
        return [self.binary, *arguments, *place]

    def telex(self, *arguments):
        command = self.command("data", *arguments)
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=MOST_SECONDS)
        if done.returncode != 0:
            raise SystemExit(f"telex {arguments}: {done.returncode}\n{done.stderr[-2000:]}")
        return done.stdout


class Scaled:
    """A stage, its ScaledObject, and its processes, each with the port of its metrics."""

    def __init__(self, installation, prometheus, scaled_object, ports):
        spec = scaled_object["spec"]
        (trigger,) = spec["triggers"]
        if (trigger["type"], trigger["metricType"]) != ("prometheus", "AverageValue"):
            raise SystemExit(f"a trigger that is not understood: {trigger}")
        self.stage = spec["scaleTargetRef"]["name"].removeprefix("telex-")
        self.least, self.most = spec["minReplicaCount"], spec["maxReplicaCount"]
        self.query, self.threshold = trigger["metadata"]["query"], float(trigger["metadata"]["threshold"])
        self.installation, self.prometheus, self.ports = installation, prometheus, ports
        self.processes, self.problems = [], []

    def value(self):
        """What the query gives; nothing where no process answers, which KEDA takes for 0."""
        return next(iter(self.prometheus.numbers(self.query)), None)

    def wanted(self):
        return max(self.least, min(self.most, math.ceil((self.value() or 0) / self.threshold)))

    def scale(self, count):
        while len(self.processes) < count:
            number = len(self.processes)
            name = f"{self.stage}-{number}"
            listen = ("--metrics-listen", f"127.0.0.1:{self.ports[number]}")
            command = self.installation.command(name, "run", self.stage, *listen)
            log = self.installation.folder / f"{name}.log"
            self.processes.append(spawn(self.installation.stack, command, log, env=self.installation.environment))
        leaving, self.processes = self.processes[count:], self.processes[:count]
        for process in leaving:
            process.send_signal(signal.SIGTERM)
        self.problems += [f"{self.stage}: a process ended with {p.returncode}" for p in leaving if p.wait() != 0]

    def idle(self):
        """Processes that have no partition, of those that Prometheus sees; None until it sees all of them."""
        owned = self.prometheus.numbers(f'telex_assigned_partitions{{stage="{self.stage}"}}')
        return owned.count(0) if len(owned) == len(self.processes) and sum(owned) == PARTITIONS else None

    def run(self):
        """Scales as the query says until the backlog is drained; the numbers of processes that there were."""
        self.scale(self.least)
        ready = f"http://127.0.0.1:{self.ports[0]}/readyz"
        wait(self.stage, lambda: get(ready), self.processes[0])
        wait(f"{self.stage}, its lag", lambda: self.value(), self.processes[0])
        backlog, counts, recent, shared = self.value(), [], [], False
        end = time.monotonic() + MOST_SECONDS
        while not (counts and counts[-1] == self.least < max(counts) and not any(value for _, _, value in recent)):
            if time.monotonic() > end:
                raise SystemExit(f"{self.stage}: not drained after {MOST_SECONDS} s: {recent[-1]}, processes {counts}")
            now = time.monotonic()
            recent = [row for row in recent if row[0] > now - WINDOW_SECONDS] + [(now, self.wanted(), self.value())]
            self.scale(max(wanted for _, wanted, _ in recent))
            counts.append(len(self.processes))
            shared = shared or (counts[-1] == self.most and self.idle() == 0)
            time.sleep(0.5)
        if math.ceil(backlog / self.threshold) <= PARTITIONS:
            self.problems.append(f"{self.stage}: a backlog of {backlog} asks for no more processes than partitions")
        if max(counts) != self.most or self.most > PARTITIONS:
            self.problems.append(f"{self.stage}: {max(counts)} processes under a backlog of {backlog}")
        if not shared:
            self.problems.append(f"{self.stage}: {self.most} processes never shared the partitions")
        if self.value() != 0 or self.wanted() != self.least:
            self.problems.append(f"{self.stage}: drained, the query gives {self.value()}")
        self.scale(0)
        return f"{self.stage} {self.least}-{max(counts)}-{counts[-1]} at {backlog:.0f} waiting"


def scaled_objects():
    """ScaledObjects of the chart with everything on, and of the sink on PostgreSQL, by stage."""
    found = {}
    for name in ("full", "postgres"):
        values = yaml.safe_load((GOLDEN / f"{name}.values.yaml").read_text())
        for stage in values["stages"].values():
            if stage.get("autoscaling"):
                stage["autoscaling"]["lagMessagesPerReplica"] = LAG_PER_REPLICA
        documents = [d for d in parsed(render(values)) if d["kind"] == "ScaledObject"]
        found |= {d["spec"]["scaleTargetRef"]["name"].removeprefix("telex-"): d for d in documents}
    return found


def start_postgres(stack):
    """A PostgreSQL of its own on loopback; its URL. It refuses to be root: then it is Debian's user of it."""
    folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
    places = [*map(str, pathlib.Path("/usr/lib/postgresql").glob("*/bin")), os.environ["PATH"]]
    initdb, postgres = (shutil.which(tool, path=os.pathsep.join(places)) for tool in ("initdb", "postgres"))
    if not initdb or not postgres:
        raise SystemExit("PostgreSQL is missing (Debian: apt-get install postgresql)")
    own = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
    if own:
        shutil.chown(folder, "postgres", "postgres")
    make = [initdb, "--pgdata", folder / "data", "--username=telex", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"]
    subprocess.run([*own, *make], check=True, stdout=subprocess.DEVNULL)
    port = free_port()
    command = [*own, postgres, "-D", folder / "data", "-p", port, "-c", "listen_addresses=127.0.0.1", "-k", folder]
    process = spawn(stack, command, folder / "log")
    # At once, whoever is connected.
    stack.callback(process.wait)
    stack.callback(process.send_signal, signal.SIGINT)
    wait("PostgreSQL", lambda: socket.create_connection(("127.0.0.1", port)).close() is None, process)
    return f"postgres://telex@127.0.0.1:{port}/postgres?sslmode=disable"


def check(stack, folder, site, binary):
    objects = scaled_objects()
    (folder / "feeds.txt").write_text("".join(f"http://127.0.0.1:{site}/many-f{n}\n" for n in range(FEEDS)))
    installation = Installation(stack, folder, binary, start_postgres(stack))
    ports = {stage: [free_port() for _ in range(PARTITIONS)] for stage in objects}
    # NAMESPACE/NAME, as the Prometheus operator names the job of the chart's PodMonitor.
    prometheus = start_prometheus(stack, folder, *(p for some in ports.values() for p in some), job="news/telex")
    installation.telex("topics", "apply")
    installation.telex("run", "poller", "--once", "--feeds", str(folder / "feeds.txt"), "--allow-address", "127.0.0.0/8")
    installation.telex("run", "fetcher", "--once", "--fetch", "always", "--allow-address", "127.0.0.0/8")
    done, problems = [], []
    # In the order of the flow: what one has drained is the backlog of the next.
    for stage in sorted(objects, key=["poller", "fetcher", "cleaner", "classifier", "sink"].index):
        scaled = Scaled(installation, prometheus, objects[stage], ports[stage])
        done.append(scaled.run())
        problems += scaled.problems
    stored = [json.loads(line)["id"] for line in installation.telex("sink", "export", "--from", "postgres").splitlines()]
    if len(stored) != FEEDS * ITEMS or len(set(stored)) != len(stored):
        problems.append(f"{FEEDS * ITEMS} articles: the database has {len(stored)}, {len(set(stored))} of them different")
    return problems, f"autoscaling: by the chart's queries on a live Kafka, processes at least-most-drained: {', '.join(done)}"


run_check(__doc__, 1, ManyFeeds, check)
