#!/usr/bin/env python3
"""Draws every dashboard from the data of a running pipeline, as pictures to be looked at: a contact sheet.

usage: sheet.py TELEX_BINARY FOLDER

live.py checks that every panel's query gives data; whether a panel says something is seen only by looking. A small news
site that goes on publishing, `telex run all` on it, its console asked all the while, and Prometheus, for five minutes;
then each dashboard's panels, where and as wide as Grafana puts them, drawn as one page and taken by headless Chromium to
FOLDER/NAME.png. It draws lines and numbers, not what else Grafana can. Needs prometheus and chromium.
"""

import contextlib
import html
import json
import math
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

from live import DEPLOY, Site, start_prometheus, start_site, start_telex, substitute

MINUTES = 5
STEP = 5
# Seconds between two news of a feed, and between two polls that are asked for: fewer than the items of a feed hold.
NEWS, POLLS = 0.25, 8
# Requests a second that the site bears: a little more than the 12 pages that three feeds bring.
REQUESTS = 16
COLOURS = ["#7eb26d", "#eab839", "#6ed0e0", "#ef843c", "#e24d42", "#1f78c1", "#ba43a9", "#705da0", "#508642", "#cca300"]
# A row of Grafana's grid in pixels, and a column.
ROW, COLUMN = 38, 62


class Newsroom(Site):
    """Feeds that have news all the time."""

    def feed(self, name, end):
        text, newest = super().feed(name, end), int(time.time() / NEWS)
        # Its items are numbered from 0: the newest of them has the highest number now.
        for number in reversed(range(40)):
            text = text.replace(f"{name} {number}<", f"{name} {newest - number}<").replace(f"{name}-{number}<", f"{name}-{newest - number}<")
        return text


def shown(value, unit):
    """A number as a person writes it."""
    if unit == "percentunit":
        return f"{value * 100:.3g} %"
    suffix = {"s": "s", "cps": "/s", "bytes": "B", "Bps": "B/s"}.get(unit, "")
    for limit, sign in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit:
            return f"{value / limit:.3g} {sign}{suffix}"
    return f"{value:.3g} {suffix}".rstrip()


def series(prometheus, panel):
    """Name and points of each line of a panel."""
    end = time.time()
    for target in panel["targets"]:
        if " offset " in target["expr"]:
            # There is no last week; live.py looks whether the query is right.
            continue
        expr = substitute(target["expr"].replace("$__rate_interval", "1m"))
        found = prometheus.api("query_range", query=expr, start=end - 60 * MINUTES, end=end, step=STEP)["result"]
        for row in found:
            name = target["legendFormat"]
            for label, value in row["metric"].items():
                name = name.replace("{{" + label + "}}", value)
            points = [(float(t) - end, float(v)) for t, v in row["values"] if math.isfinite(float(v))]
            if points:
                yield name or target["expr"], points


def lines(found, unit, width, height):
    top = max((v for _, points in found for _, v in points), default=0) or 1
    space = {"left": 72, "bottom": 18}
    wide, tall = width - space["left"] - 8, height - space["bottom"] - 8

    def place(t, v):
        return f"{space['left'] + (1 + t / (60 * MINUTES)) * wide:.1f},{8 + (1 - v / top) * tall:.1f}"

    parts = [f'<svg width="{width}" height="{height}">']
    for share in (0, 0.5, 1):
        y = 8 + (1 - share) * tall
        parts.append(f'<line x1="{space["left"]}" x2="{width - 8}" y1="{y}" y2="{y}"/>')
        parts.append(f'<text x="{space["left"] - 6}" y="{y + 4}" text-anchor="end">{shown(top * share, unit)}</text>')
    for minute in range(MINUTES + 1):
        x = space["left"] + minute / MINUTES * wide
        name, anchor = (f"{minute - MINUTES} min", "middle") if minute < MINUTES else ("now", "end")
        parts.append(f'<text x="{x}" y="{height - 3}" text-anchor="{anchor}">{name}</text>')
    for number, (_, points) in enumerate(found):
        path = " ".join(place(t, v) for t, v in points)
        parts.append(f'<polyline points="{path}" style="stroke:{COLOURS[number % len(COLOURS)]}"/>')
    return "".join([*parts, "</svg>"])


def drawn(prometheus, panel):
    place = panel["gridPos"]
    width, height = place["w"] * COLUMN - 8, place["h"] * ROW - 8
    style = f"left:{place['x'] * COLUMN}px;top:{place['y'] * ROW + 40}px;width:{width}px;height:{height}px"
    title = html.escape(panel["title"])
    if panel["type"] == "row":
        return f'<div class="row" style="{style}">{title}</div>'
    unit = panel["fieldConfig"]["defaults"]["unit"]
    found = sorted(series(prometheus, panel), key=lambda line: -max(v for _, v in line[1]))
    if panel["type"] == "stat":
        value = shown(found[0][1][-1][1], unit) if found else "no data"
        return f'<div class="panel" style="{style}"><h2>{title}</h2><p class="stat">{value}</p></div>'
    legend = "".join(
        f'<span style="color:{COLOURS[n % len(COLOURS)]}">▬ {html.escape(name)} {shown(points[-1][1], unit)}</span>'
        for n, (name, points) in enumerate(found[:8])
    )
    more = f"<span>and {len(found) - 8} more</span>" if len(found) > 8 else ""
    body = lines(found, unit, width - 16, height - 84) if found else "<p>no data</p>"
    return f'<div class="panel" style="{style}"><h2>{title}</h2>{body}<div class="legend">{legend}{more}</div></div>'


STYLE = """body{margin:0;background:#fff;font:12px DejaVu Sans,sans-serif;color:#222}h1{font-size:18px;margin:8px}
.row{position:absolute;font-weight:bold;font-size:14px}.panel{position:absolute;border:1px solid #ccc;box-sizing:border-box;padding:6px;
overflow:hidden}h2{font-size:12px;margin:0 0 4px}.stat{font-size:30px;text-align:center;margin:18px 0;color:#3a7d34}.legend span
{margin-right:12px;font-size:11px;white-space:nowrap;display:inline-block}svg line{stroke:#ddd}svg text{font-size:10px;fill:#666}
polyline{fill:none;stroke-width:1.5}"""


def picture(folder, out, name, dashboard, panels):
    height = 60 + ROW * max(p["gridPos"]["y"] + p["gridPos"]["h"] for p in dashboard["panels"])
    page = folder / f"{name}.html"
    page.write_text(f'<meta charset="utf-8"><style>{STYLE}</style><h1>{html.escape(dashboard["title"])}</h1>{"".join(panels)}')
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={folder}/chromium",
               f"--window-size={24 * COLUMN + 8},{height}", f"--screenshot={out}/{name}.png", page.as_uri()]  # fmt: skip
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def main():
    if len(sys.argv) != 3 or not shutil.which("chromium"):
        sys.exit(f"{__doc__}\nchromium is {shutil.which('chromium') or 'missing'}")
    binary, out = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve()
    out.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        _, port = start_telex(stack, folder, binary, start_site(stack, Newsroom), REQUESTS)
        prometheus = start_prometheus(stack, folder, port)
        end = time.monotonic() + 60 * MINUTES
        while time.monotonic() < end:
            time.sleep(POLLS)
            subprocess.run([binary, "feeds", "poll", "--data-dir", folder / "data"], check=True, stdout=subprocess.DEVNULL)
        for path in sorted((DEPLOY / "grafana/dashboards").glob("*.json")):
            dashboard = json.loads(path.read_text())
            picture(folder, out, path.stem, dashboard, [drawn(prometheus, p) for p in dashboard["panels"]])
            print(f"sheet: {out / path.stem}.png")


main()
