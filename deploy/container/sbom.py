#!/usr/bin/env python3
"""Writes the software bill of materials of the binary: CycloneDX 1.6, JSON, from Cargo's own resolution.

usage: sbom.py [TARGET] > sbom.cdx.json    TARGET is the platform, x86_64-unknown-linux-gnu unless given

What is linked into `telex`, and what its build runs; tests and benchmarks are not in it. C libraries are those of the crates that bring
them (librdkafka in rdkafka-sys, OpenSSL in openssl-src, SQLite in libsqlite3-sys), whose versions name them. No time
and no random number: the same sources give the same file. Rejected: cargo-cyclonedx, four minutes of compiling
for these lines. Needs cargo and Python 3.
"""

import hashlib
import json
import pathlib
import subprocess
import sys
import tomllib
import uuid

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
NAME = "telex"


def cargo(target):
    command = ["cargo", "metadata", "--format-version", "1", "--locked", "--filter-platform", target]
    return json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)


def needed(metadata, root):
    """Ids of what the package needs to be built and to run, with their dependencies."""
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    found, left = {}, [root]
    while left:
        package = left.pop()
        if package in found:
            continue
        wanted = [d["pkg"] for d in nodes[package]["deps"] if any(k["kind"] != "dev" for k in d["dep_kinds"])]
        found[package] = sorted(set(wanted))
        left += wanted
    return found


def checksums():
    lock = tomllib.loads((ROOT / "Cargo.lock").read_text())
    return {(p["name"], p["version"]): p["checksum"] for p in lock["package"] if "checksum" in p}


def component(package, sums):
    url = f"pkg:cargo/{package['name']}@{package['version'].replace('+', '%2B')}"
    found = {"type": "library", "bom-ref": url, "name": package["name"], "version": package["version"], "purl": url}
    if package["license"]:
        # Older crates part alternatives by a slash.
        found["licenses"] = [{"expression": package["license"].replace("/", " OR ")}]
    if checksum := sums.get((package["name"], package["version"])):
        found["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    if package["repository"]:
        found["externalReferences"] = [{"type": "vcs", "url": package["repository"]}]
    return found


def main():
    metadata = cargo(sys.argv[1] if len(sys.argv) > 1 else "x86_64-unknown-linux-gnu")
    packages = {p["id"]: p for p in metadata["packages"]}
    root = next(i for i, p in packages.items() if p["name"] == NAME and p["source"] is None)
    graph, sums = needed(metadata, root), checksums()
    components = {i: component(packages[i], sums) for i in graph}
    own = {**components.pop(root), "type": "application"}
    listed = sorted(components.values(), key=lambda c: c["bom-ref"])
    reference = {i: c["bom-ref"] for i, c in components.items()} | {root: own["bom-ref"]}
    edges = [{"ref": reference[i], "dependsOn": sorted(reference[d] for d in graph[i])} for i in graph]
    digest = hashlib.sha256(json.dumps([own, listed]).encode()).digest()
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.UUID(bytes=digest[:16], version=4)}",
        "version": 1,
        "metadata": {"component": own},
        "components": listed,
        "dependencies": sorted(edges, key=lambda e: e["ref"]),
    }
    json.dump(document, sys.stdout, indent=1)
    print()


main()
