#!/usr/bin/env python3
"""Checks the Helm chart without a cluster.

usage: chart.py [--write] [TELEX_BINARY]

For each NAME.values.yaml in helm/golden: lint, render, compare with the golden rendering (--write writes it), validate
against the schemas of the oldest and the newest Kubernetes, and look at what schemas do not see: pods are hardened,
selectors match what they mean, every stage is there. With a binary: it understands the arguments, and its configuration
is valid in the environment of every pod. Values that must be refused are refused. Custom resources go to the file that
CUSTOM_RESOURCES names, for custom.mjs.
"""

import contextlib
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tarfile
import tempfile

import kubernetes_validate
import yaml
from helm_python import HelmError
from helm_python import chart as helm

DEPLOY = pathlib.Path(__file__).resolve().parent.parent
CHART = DEPLOY / "helm/telex"
GOLDEN = DEPLOY / "helm/golden"
# The chart's oldest, and the newest that there are schemas for.
VERSIONS = ("1.25", kubernetes_validate.latest_version())
STAGES = {"poller", "fetcher", "cleaner", "classifier", "sink", "console"}
SERVED = {"telex-websub": ["poller"], "telex-console": ["console"]}
# Their schemas come from npm, see check.sh.
CUSTOM = {"PodMonitor", "PrometheusRule", "ScaledObject"}

BROKERS = {"kafka": {"brokers": "kafka:9092"}}


POSTGRES = {"postgres": {"existingSecret": {"name": "s"}}}


def scaled(**autoscaling):
    return {**BROKERS, "keda": {"prometheusUrl": "http://p:9090"}, "stages": {"cleaner": {"autoscaling": {"enabled": True, **autoscaling}}}}


REFUSED = {
    "no brokers": {},
    "a broker without port": {"kafka": {"brokers": "kafka"}},
    "a misspelt value": {**BROKERS, "stags": {}},
    "more processes than partitions": {**BROKERS, "stages": {"cleaner": {"replicas": 13}}},
    "scaling beyond the partitions": scaled(maxReplicas=13),
    "scaling to nothing": scaled(minReplicas=0),
    "a minimum above the maximum": scaled(minReplicas=8, maxReplicas=4),
    "scaling without Prometheus": {**scaled(), "keda": {"prometheusUrl": ""}},
    "more than one SQLite sink": {**BROKERS, "stages": {"sink": {"replicas": 2}}},
    "scaling the SQLite sink": {**scaled(), "stages": {"sink": {"autoscaling": {"enabled": True}}}},
    "more PostgreSQL sinks than partitions": {**BROKERS, "stages": {"sink": {**POSTGRES, "replicas": 13}}},
    "PostgreSQL among the settings": {**BROKERS, "config": {"sink": {"postgres": {"url": "postgres://me:x@db/news"}}}},
    "a console by a name with a port": {**BROKERS, "console": {"hosts": ["news.example.org:443"]}},
    "a password among the settings": {"kafka": {"brokers": "kafka:9092", "client": {"sasl.password": "x"}}},
    "the chart's own section": {**BROKERS, "config": {"bus": {"kind": "sqlite"}}},
    "a callback without its secret": {**BROKERS, "websub": {"callbackUrl": "https://news.example.org/websub"}},
    "a callback that is no address": {**BROKERS, "websub": {"callbackUrl": "news.example.org", "existingSecret": {"name": "s"}}},
    "the tag latest": {**BROKERS, "image": {"tag": "latest"}},
}


def render(values):
    """Renders the chart: manifests by template."""
    with quiet(), helm.Chart.load(CHART) as chart:
        # Rendering alone does not look at the schema.
        chart.validate_schema(values)
        return chart.render(values, name="telex", namespace="news")


def parsed(manifests):
    """The resources of a rendering."""
    return [d for name, m in manifests.items() if not name.endswith(".txt") for d in yaml.safe_load_all(m) if d]


@contextlib.contextmanager
def quiet():
    """Keeps Helm's remarks on symbolic links, which it writes to descriptor 2 itself, off the terminal."""
    sys.stderr.flush()
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)


def golden(manifests):
    """One text of all manifests. Dashboards, which have a check of their own, are left to their sums."""
    parts = []
    for path, text in sorted(manifests.items()):
        lines = [
            f"{line.split(':')[0]}: sha256 {hashlib.sha256(line.encode()).hexdigest()}" if ".json: " in line else line.rstrip()
            for line in text.splitlines()
        ]
        if text.strip():
            parts.append(f"# {path}\n" + "\n".join(lines).strip() + "\n")
    return "\n".join(parts)


def pods(documents):
    for document in documents:
        if document["kind"] in ("Deployment", "Job"):
            yield document, document["spec"]["template"]


def hardened(document, pod):
    spec, problems = pod["spec"], []
    if not spec["securityContext"].get("runAsNonRoot") or spec["securityContext"].get("seccompProfile") != {"type": "RuntimeDefault"}:
        problems.append("the pod is not restricted")
    if spec.get("automountServiceAccountToken") is not False:
        problems.append("a token is mounted")
    for container in spec["containers"]:
        context = container["securityContext"]
        wanted = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
        if context != wanted:
            problems.append(f"container {container['name']}: {context}")
        if "memory" not in container["resources"]["limits"] or "cpu" not in container["resources"]["requests"]:
            problems.append(f"container {container['name']}: no memory limit or CPU request")
        if document["kind"] == "Deployment" and not {"startupProbe", "readinessProbe", "livenessProbe"} <= set(container):
            problems.append(f"container {container['name']}: probes are missing")
    return problems


def coherent(documents):
    """What belongs together does: names and selectors."""
    deployments = {d["metadata"]["name"]: d for d in documents if d["kind"] == "Deployment"}
    labels = {name: d["spec"]["template"]["metadata"]["labels"] for name, d in deployments.items()}
    found = {label["app.kubernetes.io/component"] for label in labels.values()}
    if found != STAGES:
        yield f"the stages are {sorted(found)}"
    for d in documents:
        name = f"{d['kind']} {d['metadata']['name']}"
        if d["kind"] in ("PodDisruptionBudget", "Deployment", "PodMonitor"):
            wanted = d["spec"]["selector"]["matchLabels"].items()
            selected = sum(wanted <= label.items() for label in labels.values())
            if selected != (len(STAGES) if d["kind"] == "PodMonitor" else 1):
                yield f"{name} selects {selected} stages"
        if d["kind"] == "Service":
            selected = [label["app.kubernetes.io/component"] for label in labels.values() if d["spec"]["selector"].items() <= label.items()]
            if selected != SERVED[d["metadata"]["name"]]:
                yield f"{name} selects {selected}"
        if d["kind"] == "ScaledObject":
            target = deployments.get(d["spec"]["scaleTargetRef"]["name"])
            if target is None:
                yield f"{name} scales what is not there"
            elif "replicas" in target["spec"]:
                yield f"{name} and its deployment both set replicas"
        if d["kind"] == "PrometheusRule":
            ours = yaml.safe_load((DEPLOY / "prometheus/telex.rules.yml").read_text())
            if [r.get("expr") for g in d["spec"]["groups"] for r in g["rules"]] != [r.get("expr") for g in ours["groups"] for r in g["rules"]]:
                yield f"{name} holds other rules than deploy/prometheus"


def understood(binary, pod):
    """What the binary has against arguments and environment of a pod."""
    container = pod["spec"]["containers"][0]
    # Files are there in the cluster only.
    environment = {e["name"]: e["value"] for e in container["env"] if not e["name"].endswith("_FILE")}
    environment |= {"PATH": os.environ["PATH"], "TELEX__DATA_DIR": "/data"}
    if "TELEX__SINK__POSTGRES__URL_FILE" in {e["name"] for e in container["env"]}:
        # A sink must have something to write to.
        environment["TELEX__SINK__POSTGRES__URL"] = "postgres://me@db/news"
    checks = ["check"] if container["name"] == "sink" else ["config", "show"]
    for arguments in ([*container["args"], "--help"], checks):
        done = subprocess.run([binary, *arguments], env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            yield f"{' '.join(arguments)}: {done.stderr.strip()}"


def check(values_file, binary, write, custom):
    values = yaml.safe_load(values_file.read_text())
    with quiet():
        report = helm.lint(CHART, values, strict=True)
    # 1 is a remark: the chart has no icon.
    problems = [f"lint: {m}" for m in report["messages"] if m["severity"] > 1] + report["errors"]
    manifests = render(values)
    text, path = golden(manifests), values_file.with_name(values_file.name.replace(".values", ""))
    if write:
        path.write_text(text)
    elif not path.exists() or path.read_text() != text:
        problems.append(f"not as in {path.name}: look at what changed, then run deploy/check/chart.py --write")
    documents = parsed(manifests)
    for document in documents:
        name = f"{document['kind']} {document['metadata']['name']}"
        if document["kind"] in CUSTOM:
            custom.append(document)
            continue
        for version in VERSIONS:
            try:
                kubernetes_validate.validate(document, version, strict=True)
            except Exception as error:  # noqa: BLE001 - whatever it has against the document
                problems.append(f"{name}, Kubernetes {version}: {error}")
    for document, pod in pods(documents):
        found = hardened(document, pod) + (list(understood(binary, pod)) if binary else [])
        problems += [f"{document['kind']} {document['metadata']['name']}: {p}" for p in found]
    problems += coherent(documents)
    return [f"{values_file.name}: {p}" for p in problems], len(documents)


def packaged():
    """The package holds rules and dashboards themselves: links would lead nowhere."""
    with tempfile.TemporaryDirectory() as folder, quiet():
        with tarfile.open(helm.package(CHART, destination=folder)) as archive:
            names = {m.name: m for m in archive.getmembers()}
            wanted = ["telex/files/telex.rules.yml"] + [f"telex/files/dashboards/{p.name}" for p in DEPLOY.glob("grafana/dashboards/*.json")]
            return [f"the package lacks {w}" for w in wanted if w not in names or not names[w].isfile() or not names[w].size]


def main():
    arguments = [a for a in sys.argv[1:] if a != "--write"]
    binary, write = (arguments or [None])[0], "--write" in sys.argv
    problems, count, custom = packaged(), 0, []
    files = sorted(GOLDEN.glob("*.values.yaml"))
    for file in files:
        found, documents = check(file, binary, write, custom)
        problems += found
        count += documents
    for name, values in REFUSED.items():
        try:
            render(values)
            problems.append(f"{name}: is not refused")
        except HelmError:
            pass
    if problems:
        sys.exit("\n".join(problems))
    if path := os.environ.get("CUSTOM_RESOURCES"):
        pathlib.Path(path).write_text(json.dumps(custom))
    known = "; the binary understands arguments and environment" if binary else ""
    print(f"chart: {len(files)} renderings, {count} resources valid for Kubernetes {' and '.join(VERSIONS)}, {len(REFUSED)} wrong values refused{known}")


if __name__ == "__main__":
    main()
