#!/usr/bin/env python3
"""Checks the software bill of materials: valid for CycloneDX's schema, the same twice, whole.

usage: sbom.py
"""

import json
import pathlib
import subprocess
import sys

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
# Linked into the binary, so missing ones mean that something was passed over.
LINKED = {"rdkafka-sys", "openssl-src", "libsqlite3-sys", "rustls", "tokio", "telex-cleaner", "zstd-sys"}
# Of tests alone.
OTHERS = {"criterion", "proptest", "expect-test"}


def make():
    return subprocess.run([ROOT / "deploy/container/sbom.py"], check=True, capture_output=True, text=True).stdout


text = make()
if error := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
    sys.exit(f"sbom: {error}")
if make() != text:
    sys.exit("sbom: not the same twice")
components = json.loads(text)["components"]
names = {c["name"] for c in components}
unsigned = [c["name"] for c in components if "hashes" not in c and not c["name"].startswith("telex-")]
if LINKED - names or OTHERS & names or unsigned:
    sys.exit(f"sbom: lacks {LINKED - names}, has {OTHERS & names}, without a hash {unsigned}")
print(f"sbom: valid CycloneDX 1.6, {len(components)} components")
