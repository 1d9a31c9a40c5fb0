#!/usr/bin/env python3
"""Checks the Compose files beyond what `docker compose config` sees.

usage: compose.py FOLDER [TELEX_BINARY]

FOLDER has the configuration of each profile, as `docker compose config --format json` writes it, under the name of the
profile. Of each: every service is pinned, bounded and hardened, its secrets come from files, volumes have one writer,
databases say when they are ready; Prometheus scrapes every stage and the console. With a binary: it understands the
command of every service, and its configuration is valid in the environment of that service, also with secrets that are
empty.
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


def written_by_two(services):
    """Volumes that more than one service may write."""
    writers = {}
    for name, service in services.items():
        for volume in service.get("volumes", []):
            if volume["type"] == "volume" and not volume.get("read_only"):
                writers.setdefault(volume["source"], []).append(name)
    for volume, names in writers.items():
        if len(names) > 1:
            yield f"volume {volume}: {', '.join(names)} write it"


def awaited(services):
    """Services that others wait for to be healthy, and that do not say when they are."""
    for name, service in services.items():
        for other, how in service.get("depends_on", {}).items():
            if how["condition"] == "service_healthy" and other in services and not services[other].get("healthcheck", {}).get("test"):
                yield f"{name} waits for {other}, which has no health check"


def refused_by(binary, service):
    """What the binary has against command and environment."""
    # Secrets are there in the container only; here they are empty, as those of Compose are unless they are wanted.
    own = {name: os.devnull if name.endswith("_FILE") else value for name, value in service.get("environment", {}).items()}
    environment = {"PATH": os.environ["PATH"], "TELEX__DATA_DIR": "/data", **own}
    for arguments in ([*service["command"], "--help"], ["config", "show"]):
        done = subprocess.run([binary, *arguments], env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            yield f"{' '.join(arguments)}: {done.stderr.strip()}"


def check(services, binary):
    problems = [*written_by_two(services), *awaited(services)]
    for name, service in services.items():
        found = list(problems_of(name, service)) + list(unread_secrets(service))
        if binary and service["image"].startswith("telex"):
            found += refused_by(binary, service)
        problems += [f"{name}: {problem}" for problem in found]
    stages = {name for name, service in services.items() if (service.get("command") or [""])[0] == "run"}
    scraped = set(yaml.safe_load(PROMETHEUS.read_text())["scrape_configs"][0]["dns_sd_configs"][0]["names"])
    if stages != scraped:
        problems.append(f"prometheus.yml scrapes {sorted(scraped)}, the stages are {sorted(stages)}")
    return problems


def main():
    binary = sys.argv[2] if len(sys.argv) > 2 else None
    rendered = {p.stem: json.loads(p.read_text())["services"] for p in sorted(pathlib.Path(sys.argv[1]).glob("*.json"))}
    if problems := [f"{profile}, {problem}" for profile, services in rendered.items() for problem in check(services, binary)]:
        sys.exit("\n".join(problems))
    known = "; the binary understands commands and environment" if binary else ""
    counts = ", ".join(f"{profile} {len(services)}" for profile, services in rendered.items())
    print(f"compose: services ({counts}) pinned, bounded and hardened{known}")


main()
