#!/usr/bin/env python3
"""Runs every query of dashboards, rules and autoscaling against a real Prometheus that scrapes a running pipeline.

usage: live.py TELEX_BINARY [--verbose]

A small news site on loopback, `telex run all` with its console on it, and Prometheus with our rules, all in a temporary
folder and on free ports; the console is asked for pages, and a stream of it is read. Then:
- every panel's query must give a number (`offset` is left out: nobody waits for last week);
- every series that an alert or recording rule selects must exist, and every rule must evaluate;
- no alert may fire on this healthy pipeline;
- once the pipeline is killed, TelexStageGone must become pending for all five stages, and TelexConsoleGone.
Needs prometheus in the path. Takes about 40 seconds, on a busy machine up to four minutes, and ends by itself.
"""

import contextlib
import http.server
import json
import math
import os
import pathlib
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

DEPLOY = pathlib.Path(__file__).resolve().parent.parent
RULES = DEPLOY / "prometheus/telex.rules.yml"
STAGES = 5
# Far longer than a start takes, also on a machine that builds something else.
START_SECONDS = 60
# The pipeline runs for so long at least; and so long until every query gives data, most of which is for busy machines.
LEAST_SECONDS = 30
MOST_SECONDS = 150
ITEMS = 40
WORDS = (
    "The ministers met in Brussels to talk about sanctions and the air defence of Ukraine. "
    "NATO allies agreed to send more interceptors to Kyiv before the winter, the Secretary General said. "
    "The harbour authority in the north meanwhile counted more ships than in any month of the year before. "
)


class Site(http.server.BaseHTTPRequestHandler):
    """Two feeds with articles, one that is damaged and one that is not there."""

    def do_GET(self):  # noqa: N802 - the name is the library's
        path = self.path
        if path == "/robots.txt":
            return self.answer(404, "text/plain", "none")
        if path in ("/one.xml", "/two.xml"):
            return self.answer(200, "application/rss+xml", self.feed(path[1:4], "</channel></rss>"))
        if path == "/torn.xml":
            return self.answer(200, "application/rss+xml", self.feed("trn", ""))
        if path.startswith("/story/"):
            body = "".join(f"<p>{WORDS}</p>" for _ in range(5))
            title = f"NATO and Ukraine: report {path.rsplit('/', 1)[1]}"
            return self.answer(200, "text/html", f"<html lang=en><title>{title}</title><article><h1>{title}</h1>{body}</article></html>")
        return self.answer(404, "text/plain", "gone")

    def feed(self, name, end):
        base = f"http://{self.headers['Host']}"
        now = time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime(time.time() - 60))
        items = "".join(
            f"<item><title>Report {name} {i}</title><link>{base}/story/{name}-{i}</link>"
            f"<pubDate>{now}</pubDate><description>A report.</description></item>"
            for i in range(ITEMS)
        )
        return f'<?xml version="1.0"?><rss version="2.0"><channel><title>{name}</title><link>{base}</link>{items}{end}'

    def answer(self, status, kind, text):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def free_port():
    """A port that nobody has: above the privileged ones, below those that systems give to outgoing connections."""
    while True:
        port = random.randrange(15000, 32000)
        with socket.socket() as s, contextlib.suppress(OSError):
            s.bind(("127.0.0.1", port))
            return port


def get(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


class Prometheus:
    def __init__(self, port):
        self.base = f"http://127.0.0.1:{port}"

    def api(self, path, **parameters):
        url = f"{self.base}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            return json.loads(get(url))["data"]
        except urllib.error.HTTPError as error:
            raise SystemExit(f"{url}\n{error.read().decode()}") from error

    def numbers(self, expr):
        """The finite values of an instant query."""
        values = [float(row["value"][1]) for row in self.api("query", query=expr)["result"]]
        return [v for v in values if math.isfinite(v)]


def wait(what, ready, process, seconds=START_SECONDS):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            raise SystemExit(f"{what}: the process ended with {process.returncode}")
        with contextlib.suppress(OSError):
            if ready():
                return
        time.sleep(0.3)
    raise SystemExit(f"{what}: not after {seconds} s")


def substitute(expr):
    """Fills in what Grafana would, and takes the time shifts out."""
    expr = expr.replace("$__rate_interval", "5m").replace("$job", ".+").replace("$stage", ".+")
    expr = re.sub(r"\s+offset\s+\w+", "", expr)
    if "$" in expr:
        raise SystemExit(f"a variable that is not known: {expr}")
    return expr


def selectors(expr):
    """The series that an expression selects, with their matchers."""
    return re.findall(r"\btelex[:_][a-zA-Z0-9_:]+(?:\{[^}]*\})?", expr)


def panels():
    for path in sorted((DEPLOY / "grafana/dashboards").glob("*.json")):
        for p in json.loads(path.read_text())["panels"]:
            for target in p.get("targets", []):
                yield f"{path.stem}, {p['title']}", target["expr"]


def autoscaling():
    """Queries of the ScaledObjects in the chart's golden renderings."""
    for path in sorted((DEPLOY / "helm/golden").glob("*.yaml")):
        for expr in re.findall(r"^\s*query: (.+)$", path.read_text(), re.M):
            yield f"{path.name}, ScaledObject", expr.strip("'\"")


def check(prometheus):
    problems, zero, checked = [], [], 0
    for where, expr in [*panels(), *autoscaling()]:
        checked += 1
        # Installations have other names there than the one here.
        found = prometheus.numbers(re.sub(r'job="[^"]*"', 'job="telex"', substitute(expr)))
        if not found:
            problems.append(f"{where}: no data\n    {expr}")
        elif not any(found):
            zero.append(where)
    rules = [r for group in prometheus.api("rules")["groups"] for r in group["rules"]]
    wanted = set()
    for rule in rules:
        if rule["health"] != "ok":
            problems.append(f"{rule['name']}: {rule['health']} {rule.get('lastError', '')}")
        if rule["type"] == "alerting" and any(a["state"] == "firing" for a in rule["alerts"]):
            problems.append(f"{rule['name']} fires on a healthy pipeline")
        # Prometheus writes an expression back in full, with its matchers.
        wanted.update((rule["name"], s) for s in selectors(rule["query"]))
    problems += [f"{name}: no such series: {s}" for name, s in sorted(wanted) if not prometheus.numbers(f"count({s})")]
    return problems, zero, checked, rules


def killed(prometheus, telex):
    """Kills the pipeline and waits for Prometheus to see that its stages and its console are gone."""
    telex.kill()
    telex.wait()
    gone = {"TelexStageGone": STAGES, "TelexConsoleGone": 1}
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        seen = {name: prometheus.numbers(f'count(ALERTS{{alertname="{name}"}})') for name in gone}
        if seen == {name: [float(count)] for name, count in gone.items()}:
            return []
        time.sleep(1)
    return [f"a killed pipeline is not seen as gone: {seen}"]


@contextlib.contextmanager
def asked(console):
    """Asks a console for this and that, again and again, and reads a stream of it."""
    ended = threading.Event()

    def ask():
        while not ended.wait(0.5):
            for path in ("/", "/articles?q=sanctions", "/feeds", "/api/v1/status", "/feeds/nato.atom", "/nowhere"):
                with contextlib.suppress(OSError):
                    get(f"{console}{path}")

    asking = threading.Thread(target=ask)
    with contextlib.ExitStack() as stack:
        stack.enter_context(urllib.request.urlopen(f"{console}/api/v1/events", timeout=START_SECONDS))
        asking.start()
        try:
            yield
        finally:
            ended.set()
            asking.join()


def start_telex(stack, folder, binary, site, requests=2):
    feeds, port, console = folder / "feeds.txt", free_port(), free_port()
    feeds.write_text("".join(f"http://127.0.0.1:{site}/{f}.xml\n" for f in ("one", "two", "torn", "absent")))
    # Slow enough that pages are still fetched while Prometheus looks, fast enough to have waits for the host.
    environment = {
        "TELEX__LIMITS__HOST__REQUESTS_PER_SECOND": str(requests),
        "TELEX__LIMITS__CLASSIFIER__MESSAGES_PER_SECOND": "50",
        "PATH": os.environ["PATH"],
    }
    command = [binary, "run", "all", "--feeds", feeds, "--data-dir", folder / "data", "--fetch", "always",
               "--allow-address", "127.0.0.0/8", "--metrics-listen", f"127.0.0.1:{port}",
               "--console-listen", f"127.0.0.1:{console}"]  # fmt: skip
    process = spawn(stack, command, folder / "telex.log", env=environment)
    wait("telex", lambda: get(f"http://127.0.0.1:{port}/readyz"), process)
    # It begins after the stages.
    wait("telex, its console", lambda: get(f"http://127.0.0.1:{console}/api/v1/status"), process)
    stack.enter_context(asked(f"http://127.0.0.1:{console}"))
    return process, port


def start_kafka(stack, folder, *options):
    """A broker of its own, which ends with the stack; its address."""
    command = ["bash", str(DEPLOY / "kafka/kafka.sh"), "run", "--dir", str(folder / "kafka"), *options]
    script = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    stack.callback(script.wait)
    stack.callback(script.stdin.close)
    brokers = script.stdout.readline().strip()
    if not brokers:
        raise SystemExit("kafka.sh: no broker")
    return brokers


def start_site(stack, kind):
    """A web site on a free port of loopback, which it answers with."""
    site = http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind)
    stack.callback(site.shutdown)
    threading.Thread(target=site.serve_forever, daemon=True).start()
    return site.server_port


def start_prometheus(stack, folder, *ports, job="telex"):
    shutil.copy(RULES, folder / "telex.rules.yml")
    # Rules in the repository are evaluated every 30 s; here within the time of a test.
    text = (folder / "telex.rules.yml").read_text().replace("interval: 30s", "interval: 2s")
    (folder / "telex.rules.yml").write_text(text)
    (folder / "prometheus.yml").write_text(
        json.dumps({
            "global": {"scrape_interval": "1s", "evaluation_interval": "2s"},
            "rule_files": ["telex.rules.yml"],
            "scrape_configs": [{"job_name": job, "static_configs": [{"targets": [f"127.0.0.1:{p}" for p in ports]}]}],
        })
    )
    port = free_port()
    command = ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb",
               f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"]  # fmt: skip
    process = spawn(stack, command, folder / "prometheus.log")
    prometheus = Prometheus(port)
    wait("prometheus", lambda: get(f"{prometheus.base}/-/ready"), process)
    return prometheus


def run_check(doc, arguments, kind, check):
    """Runs a check of its own process: it gets a stack, a folder, the port of a news site of that kind and its arguments,
    which are paths; and gives what is wrong, and what to say where nothing is."""
    if len(sys.argv) != 1 + arguments:
        sys.exit(doc)
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        problems, said = check(stack, folder, start_site(stack, kind), *map(os.path.abspath, sys.argv[1:]))
        if problems:
            sys.exit("\n".join(problems))
    print(said)


def spawn(stack, command, log, **more):
    out = stack.enter_context(open(log, "w"))
    process = subprocess.Popen([str(c) for c in command], stdout=out, stderr=out, **more)
    stack.callback(process.wait)
    stack.callback(process.kill)
    return process


def main():
    arguments = sys.argv[1:]
    if not arguments or not shutil.which(arguments[0]):
        sys.exit(f"{__doc__}\nno binary: {arguments[:1]}")
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        site = start_site(stack, Site)
        telex, port = start_telex(stack, folder, os.path.abspath(shutil.which(arguments[0])), site)
        prometheus = start_prometheus(stack, folder, port)
        end = time.monotonic() + MOST_SECONDS
        time.sleep(LEAST_SECONDS / 2)
        # Feeds are not due again for minutes.
        poll = [arguments[0], "feeds", "poll", "--data-dir", str(folder / "data")]
        subprocess.run(poll, check=True, stdout=subprocess.DEVNULL)
        time.sleep(LEAST_SECONDS / 2)
        problems, zero, checked, rules = check(prometheus)
        while problems and time.monotonic() < end:
            time.sleep(5)
            problems, zero, checked, rules = check(prometheus)
        problems += killed(prometheus, telex)
        if problems:
            print((folder / "telex.log").read_text()[-2000:], file=sys.stderr)
            sys.exit("\n".join(problems))
    alerts = sum(r["type"] == "alerting" for r in rules)
    print(f"live: {checked} queries give data, {checked - len(zero)} of them above 0; {len(rules) - alerts} recording rules and {alerts} alerts evaluate")
    if "--verbose" in arguments:
        print("at 0:", *zero, sep="\n  ")


if __name__ == "__main__":
    main()
