#!/usr/bin/env python3
"""Checks that every alert is tested to fire, has its section in the runbook, and says how bad it is."""

import pathlib
import re
import sys

import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROMETHEUS = ROOT / "deploy/prometheus"


def fires(test):
    """Names of the alerts that a test file expects to fire."""
    for case in yaml.safe_load(test.read_text())["tests"]:
        for query in case["promql_expr_test"]:
            for sample in query["exp_samples"]:
                yield from re.findall(r'ALERTS{alertname="(\w+)",alertstate="firing"', sample["labels"])


def main():
    groups = yaml.safe_load((PROMETHEUS / "telex.rules.yml").read_text())["groups"]
    alerts = [rule for group in groups for rule in group["rules"] if "alert" in rule]
    tested = {name for test in PROMETHEUS.glob("*.test.yml") for name in fires(test)}
    sections = set(re.findall(r"^## (\w+)$", (ROOT / "docs/runbook.md").read_text(), re.M))
    problems = []
    for alert in alerts:
        name = alert["alert"]
        if name not in tested:
            problems.append(f"{name}: no test expects it to fire")
        if name not in sections:
            problems.append(f"{name}: no section in docs/runbook.md")
        if alert["labels"].get("severity") not in ("critical", "warning", "info"):
            problems.append(f"{name}: no severity")
        if alert["annotations"].get("runbook_url") != f"docs/runbook.md#{name.lower()}":
            problems.append(f"{name}: runbook_url is not docs/runbook.md#{name.lower()}")
    problems += [f"docs/runbook.md: there is no alert {s}" for s in sections - {a["alert"] for a in alerts}]
    if problems:
        sys.exit("\n".join(problems))
    print(f"rules: {len(alerts)} alerts, each tested to fire and in the runbook")


main()
