#!/usr/bin/env python3
"""Checks the Compose file beyond what `docker compose config` sees.

usage: compose.py RENDERED.json [TELEX_BINARY]

Every service is pinned, bounded and hardened; Prometheus scrapes every stage. With a binary: it understands the
command of every service, and its configuration is valid in the environment of that service.
"""

import json
import os
import pathlib
import subprocess
import sys

import yaml

PROMETHEUS = pathlib.Path(__file__).resolve().parent.parent / "prometheus/prometheus.yml"
# Writes outside its volumes: see compose.yml.
WRITABLE = {"kafka", "grafana"}


def problems_of(name, service):
    image = service["image"]
    if ":" not in image.rsplit("/", 1)[-1] or image.endswith(":latest"):
        yield f"the image is not pinned: {image}"
    if service.get("cap_drop") != ["ALL"] or service.get("cap_add"):
        yield "capabilities are not dropped"
    if "no-new-privileges:true" not in service.get("security_opt", []):
        yield "it may gain privileges"
    if not service.get("read_only") and name not in WRITABLE:
        yield "its file system can be written"
    if not service.get("mem_limit"):
        yield "its memory has no limit"
    for port in service.get("ports", []):
        if port.get("host_ip") != "127.0.0.1":
            yield f"port {port['published']} is open to others"


def unread_secrets(service):
    """Secrets that are named but not mounted, or mounted and not named."""
    mounted = {f"/run/secrets/{s['target'].removeprefix('/run/secrets/')}" for s in service.get("secrets", [])}
    named = {value for name, value in (service.get("environment") or {}).items() if name.endswith("_FILE")}
    if mounted != named:
        yield f"secrets mounted {sorted(mounted)}, named {sorted(named)}"


def refused_by(binary, service):
    """What the binary has against command and environment."""
    # Files are there in the container only.
    own = {name: value for name, value in service.get("environment", {}).items() if not name.endswith("_FILE")}
    environment = {"PATH": os.environ["PATH"], "TELEX__DATA_DIR": "/data", **own}
    for arguments in ([*service["command"], "--help"], ["config", "show"]):
        done = subprocess.run([binary, *arguments], env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            yield f"{' '.join(arguments)}: {done.stderr.strip()}"


def main():
    services = json.loads(pathlib.Path(sys.argv[1]).read_text())["services"]
    binary = sys.argv[2] if len(sys.argv) > 2 else None
    problems = []
    for name, service in services.items():
        found = list(problems_of(name, service)) + list(unread_secrets(service))
        if binary and service["image"].startswith("telex"):
            found += refused_by(binary, service)
        problems += [f"{name}: {problem}" for problem in found]
    stages = {name for name, service in services.items() if (service.get("command") or [""])[0] == "run"}
    scraped = set(yaml.safe_load(PROMETHEUS.read_text())["scrape_configs"][0]["dns_sd_configs"][0]["names"])
    if stages != scraped:
        problems.append(f"prometheus.yml scrapes {sorted(scraped)}, the stages are {sorted(stages)}")
    if problems:
        sys.exit("\n".join(problems))
    known = "; the binary understands commands and environment" if binary else ""
    print(f"compose: {len(services)} services, pinned, bounded and hardened{known}")


main()
