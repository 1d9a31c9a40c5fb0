#!/usr/bin/env python3
"""Checks what docs/*.md name: files exist, links lead somewhere, and with a binary, its commands are understood."""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def headings(text):
    """Anchors of a document."""
    return {re.sub(r"[^\w -]", "", h).strip().lower().replace(" ", "-") for h in re.findall(r"^#+ (.+)$", text, re.M)}


def commands(text):
    """The commands that it shows, without arguments: `telex dead-letters show`."""
    for line in re.findall(r"(?:^    |`|bin/)telex ([a-z][^`\n]*)", text, re.M):
        words = []
        for word in line.split():
            if not re.fullmatch(r"[a-z][a-z-]*", word):
                break
            words.append(word)
        yield " ".join(words[:2])


def main():
    binary, problems, seen = (sys.argv[1:] or [None])[0], [], set()
    for path in sorted((ROOT / "docs").glob("*.md")):
        text = path.read_text()
        for name in re.findall(r"`((?:deploy|docs|crates|tests)/[^\s`]*|[A-Z]+\.md)`", text):
            if not (ROOT / name).exists():
                problems.append(f"{path.name}: there is no {name}")
        for anchor in re.findall(r"\]\(#([^)]+)\)", text):
            if anchor not in headings(text):
                problems.append(f"{path.name}: there is no heading {anchor}")
        seen.update(commands(text))
    for command in sorted(seen if binary else ()):
        done = subprocess.run([binary, *command.split(), "--help"], capture_output=True, text=True, check=False)
        if done.returncode:
            problems.append(f"telex {command}: {done.stderr.strip().splitlines()[0]}")
    if problems:
        sys.exit("\n".join(problems))
    print(f"docs: files and links exist{f'; the binary understands {len(seen)} commands' if binary else ''}")


main()
