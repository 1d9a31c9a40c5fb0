#!/usr/bin/env python3
"""Writes the dashboards of Telex: dashboards/*.json, for Grafana 11 and newer.

They are generated because a panel is one line here and sixty in JSON. Edit here, run this, commit both;
`dashboards.py --check` fails where the files differ from what it would write. That each query gives data is checked
against a running pipeline by ../check/live.py.
"""

import json
import pathlib
import sys

FOLDER = pathlib.Path(__file__).parent / "dashboards"
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
JOB = 'job=~"$job"'
STAGE = 'job=~"$job",stage=~"$stage"'


def panel(title, unit, *queries, about, kind="timeseries", width=12, height=8, stack=False, limits=()):
    """A panel; each query is (PromQL, legend). Limits are values from which it turns yellow, then red."""
    steps = [{"color": "green", "value": None}]
    steps += [{"color": c, "value": v} for c, v in zip(("yellow", "red"), limits)]
    defaults = {
        "unit": unit,
        "min": 0,
        "color": {"mode": "thresholds" if kind == "stat" else "palette-classic"},
        "thresholds": {"mode": "absolute", "steps": steps},
    }
    if kind == "timeseries":
        defaults["custom"] = {
            "fillOpacity": 25 if stack else 0,
            "lineWidth": 1,
            "showPoints": "never",
            # Gaps are where nothing was scraped; a line across them would lie.
            "spanNulls": False,
            "stacking": {"mode": "normal" if stack else "none", "group": "A"},
            "thresholdsStyle": {"mode": "dashed" if limits else "off"},
        }
        options = {
            "legend": {"displayMode": "table", "placement": "bottom", "showLegend": True, "calcs": ["lastNotNull", "max"]},
            "tooltip": {"mode": "multi", "sort": "desc"},
        }
    else:
        options = {
            "colorMode": "value",
            "graphMode": "area",
            "justifyMode": "auto",
            "orientation": "auto",
            "textMode": "auto",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        }
    targets = [
        {
            "refId": chr(ord("A") + i),
            "datasource": SOURCE,
            "editorMode": "code",
            "range": True,
            "expr": expr,
            "legendFormat": legend,
        }
        for i, (expr, legend) in enumerate(queries)
    ]
    return {
        "title": title,
        "description": about,
        "type": kind,
        "datasource": SOURCE,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": options,
        "targets": targets,
        "gridPos": {"w": width, "h": height},
    }


def stat(title, unit, query, about, limits=(), width=4):
    return panel(title, unit, (query, ""), about=about, kind="stat", width=width, height=4, limits=limits)


def rate(metric, labels=JOB, by="stage"):
    return f"sum by ({by}) (rate({metric}{{{labels}}}[$__rate_interval]))"


def quantiles(metric, labels=JOB, by="", which=(0.5, 0.95)):
    """Quantiles of a histogram, one query each."""
    legend = f"{{{{{by}}}}} " if by else ""
    groups = f"{by}, le" if by else "le"
    return [
        (
            f"histogram_quantile({q}, sum by ({groups}) (rate({metric}_bucket{{{labels}}}[$__rate_interval])))",
            f"{legend}p{int(q * 100)}",
        )
        for q in which
    ]


def variable(name, label, query):
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": query, "refId": name},
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".+",
        "current": {"text": ["All"], "value": ["$__all"]},
    }


def dashboard(name, title, rows, per_stage=False):
    panels, y = [], 0
    for row, content in rows:
        panels.append({"type": "row", "title": row, "collapsed": False, "panels": [], "gridPos": {"x": 0, "y": y, "w": 24, "h": 1}})
        y += 1
        x = last = 0
        for p in content:
            place = p["gridPos"]
            if x + place["w"] > 24:
                x, y = 0, y + last
            place.update(x=x, y=y)
            x, last = x + place["w"], place["h"]
            panels.append(p)
        y += last
    for i, p in enumerate(panels, 1):
        p["id"] = i
    variables = [
        {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"},
        variable("job", "Installation", "label_values(telex_build_info, job)"),
    ]
    if per_stage:
        variables.append(variable("stage", "Stage", "label_values(telex_assigned_partitions, stage)"))
    return {
        "uid": f"telex-{name}",
        "title": title,
        "tags": ["telex"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "links": [{"type": "dashboards", "tags": ["telex"], "title": "Telex", "tooltip": "", "icon": "dashboard",
                   "asDropdown": False, "includeVars": True, "keepTime": True, "targetBlank": False}],  # fmt: skip
        "annotations": {"list": []},
        "templating": {"list": variables},
        "panels": panels,
    }


def overview():
    return [
        (
            "Promise",
            [
                stat("Canary", "s", f"max(telex:canary_age:seconds{{{JOB}}})",
                     "Since the newest canary that has arrived was put in, which happens once a minute. Limits: 2 and 5 minutes.", (120, 300), width=3),
                stat("Articles, last hour", "short", f"sum(increase(telex_articles_total{{{JOB}}}[1h]))",
                     "Articles that the cleaner made, new ones and revisions."),
                stat("Seen to tagged, p95", "s", quantiles("telex_seen_to_tagged_seconds", which=(0.95,))[0][0],
                     "From first seen in a feed to tagged, new articles. Limits: 5 and 15 minutes.", (300, 900)),
                stat("Oldest waiting message", "s", f"max(telex_lag_seconds{{{JOB}}})",
                     "Of any stage. Limits as of the alerts: 10 and 15 minutes.", (600, 900)),
                stat("Feeds failing", "percentunit", f"max(telex:feeds:failing_ratio{{{JOB}}})",
                     "Of those that are healthy or failing. Limits: 10 % and 30 %.", (0.1, 0.3), width=3),
                stat("Dead letters, last hour", "short", f"sum(increase(telex_dead_letters_total{{{JOB}}}[1h]))",
                     "All stages and reasons.", (1, 50), width=3),
                stat("Alerts that fire", "short", f'count(ALERTS{{{JOB},alertname=~"Telex.+",alertstate="firing"}}) or vector(0)',
                     "Each has a section in docs/runbook.md.", (1, 5), width=3),
            ],
        ),
        (
            "Flow",
            [
                panel("Messages read", "cps", (rate("telex_messages_in_total"), "{{stage}}"), about="By stage. The poller reads changes to the list of feeds, so it is near 0."),
                panel("Messages written", "cps", (rate("telex_messages_out_total"), "{{stage}}"),
                      about="By stage, dead letters not counted. The classifier writes an article once to the topic of all and once for each tag."),
                panel("Articles, beside a week ago", "short",
                      (f"sum(telex:articles:increase1h{{{JOB}}})", "within an hour"),
                      (f"sum(telex:articles:increase1h{{{JOB}}} offset 1w)", "a week before"),
                      about="What TelexArticlesStopped compares."),
                panel("From first seen to tagged", "s", *quantiles("telex_seen_to_tagged_seconds"), about="New articles only. Bounded by 86400 s.", limits=(900,)),
            ],
        ),
        (
            "Backlog",
            [
                panel("Age of the oldest waiting message", "s", (f"max by (stage) (telex_lag_seconds{{{JOB}}})", "{{stage}}"), about="Lag in seconds; 0 where nothing waits.", limits=(900,)),
                panel("Messages that wait", "short", (f"sum by (stage) (telex_lag_messages{{{JOB}}})", "{{stage}}"),
                      (f"sum(telex_frontier_pending{{{JOB}}})", "pages to fetch"), about="Lag in messages; beside it the articles that the fetcher holds until their host may be asked."),
            ],
        ),
        (
            "Losses",
            [
                panel("Dead letters", "cps", (rate("telex_dead_letters_total", by="stage, reason"), "{{stage}} {{reason}}"), about="`telex dead-letters list` shows them, `replay` gives them back.", width=8),
                panel("Dropped on purpose", "cps", (rate("telex_dropped_total", by="stage, reason"), "{{stage}} {{reason}}"), about="Duplicates and outdated revisions are normal.", width=8),
                panel("Embedded bus in use", "percentunit", (f"max by (instance) (telex_bus_bytes{{{JOB}}} / (telex_bus_limit_bytes{{{JOB}}} > 0))", "{{instance}}"),
                      about="At 85 % the poller waits, at 90 % the fetcher. Empty on Kafka.", width=8, limits=(0.83, 0.9)),
            ],
        ),
    ]


def stages():
    return [
        (
            "Processes",
            [
                panel("Processes", "short", (f"count by (stage) (telex_assigned_partitions{{{STAGE}}})", "{{stage}}"), about="More than the 12 partitions of a topic idle.", width=8),
                panel("Partitions owned", "short", (f"sum by (stage, instance) (telex_assigned_partitions{{{STAGE}}})", "{{stage}} {{instance}}"), about="By process; together 12 a stage.", width=8, stack=True),
                panel("Ready", "short", (f"sum(telex_ready{{{JOB}}})", "ready"), (f"count(telex_ready{{{JOB}}})", "there"), about="Processes that /readyz calls ready, of those that answer.", width=8),
                panel("Memory", "bytes", (f"process_resident_memory_bytes{{{JOB}}}", "{{instance}}"), about="Resident, by process.", width=8),
                panel("Processor", "short", (f"rate(process_cpu_seconds_total{{{JOB}}}[$__rate_interval])", "{{instance}}"), about="Cores in use, by process.", width=8),
                panel("Open files", "short", (f"process_open_fds{{{JOB}}}", "{{instance}}"), about="Connections too; the limit is process_max_fds.", width=8),
                panel("Breaker", "short", (f"max by (stage) (telex_breaker_open{{{STAGE}}})", "{{stage}}"), about="1 while too many dead letters hold the stage.", width=8),
            ],
        ),
        (
            "Work",
            [
                panel("Messages read", "cps", (rate("telex_messages_in_total", STAGE), "{{stage}}"), about="By stage."),
                panel("Messages written", "cps", (rate("telex_messages_out_total", STAGE), "{{stage}}"), about="By stage, dead letters not counted."),
                panel("Bytes read", "Bps", (rate("telex_bytes_in_total", STAGE), "{{stage}}"), about="Values only."),
                panel("Bytes written", "Bps", (rate("telex_bytes_out_total", STAGE), "{{stage}}"), about="Values only."),
                panel("Work on a batch", "s", *quantiles("telex_processing_seconds", STAGE, "stage"), about="Seconds of processing, commit not counted."),
                panel("Messages in a batch", "short", *quantiles("telex_batch_messages", STAGE, "stage"), about="Small batches mean that the stage keeps up."),
                panel("Work under way", "short", (f"sum by (stage) (telex_in_flight{{{STAGE}}})", "{{stage}}"), about="Begun and not yet committed."),
                panel("Lag", "s", (f"max by (stage) (telex_lag_seconds{{{STAGE}}})", "{{stage}}"), about="Age of the oldest message that is not yet committed."),
            ],
        ),
        (
            "Commits and limits",
            [
                panel("Commits", "cps", (rate("telex_commits_total", STAGE, "stage, result"), "{{stage}} {{result}}"), about="rewound: failed and done again. fenced: another process owns the partitions now."),
                panel("Seconds of a commit", "s", *quantiles("telex_commit_seconds", STAGE, "stage", (0.5, 0.99)), about="A transaction on Kafka, an fsync on the embedded bus."),
                panel("Wait for the stage's own limit", "percentunit", (rate("telex_rate_limit_wait_seconds_total", STAGE), "{{stage}}"),
                      about="Share of time: 1 is one process that does nothing but wait for limits.<stage>."),
                panel("Retries", "cps", (rate("telex_retries_total", STAGE), "{{stage}}"), about="Work begun anew after a transient failure."),
            ],
        ),
    ]


def feeds():
    poller, fetcher = f'{JOB},stage="poller"', f'{JOB},stage="fetcher"'
    return [
        (
            "Feeds",
            [
                panel("Feeds by health", "short", (f"sum by (health) (telex_feeds{{{JOB}}})", "{{health}}"), about="`telex feeds list` names them with their last error.", stack=True),
                panel("Polls by outcome", "cps", (rate("telex_polls_total", by="outcome"), "{{outcome}}"), about="not_modified: the server said 304. unchanged: it sent the same again.", stack=True),
                panel("Requests of the poller", "cps", (rate("telex_http_requests_total", poller, "outcome"), "{{outcome}}"), about="By outcome.", stack=True),
                panel("New items", "cps", (f"sum(rate(telex_messages_out_total{{{poller}}}[$__rate_interval]))", "items"), about="Written by the poller."),
                panel("Items missed, last hour", "short", (f"sum(increase(telex_missed_items_total{{{JOB}}}[1h]))", "missed"),
                      about="Estimated to have come and gone between two polls."),
                panel("Repairs to damaged feeds", "cps", (f"sum(rate(telex_feed_repairs_total{{{JOB}}}[$__rate_interval]))", "repairs"), about="Feeds that were read in spite of mistakes."),
            ],
        ),
        (
            "Pages",
            [
                panel("Requests of the fetcher", "cps", (rate("telex_http_requests_total", fetcher, "outcome"), "{{outcome}}"), about="robots: forbidden by the site's robots.txt.", stack=True),
                panel("Articles that wait to be fetched", "short", (f"sum(telex_frontier_pending{{{JOB}}})", "waiting"), about="Most wait for their host's limit."),
                panel("Memory of waiting articles", "bytes", (f"sum by (instance) (telex_frontier_waiting_bytes{{{JOB}}})", "{{instance}}"), about="Bounded by fetcher.max_waiting_bytes; beyond it items wait on the bus."),
                panel("Articles remembered as done", "short", (f"sum(telex_frontier_done{{{JOB}}})", "done"), about="Bounded by fetcher.max_done."),
            ],
        ),
        (
            "Web",
            [
                panel("Seconds of a request", "s", *quantiles("telex_http_request_seconds", JOB, "stage"), about="With its redirects."),
                panel("Wait for a host", "s", *quantiles("telex_host_limit_wait_seconds", JOB, "stage"), about="How long due work waited for limits.host."),
                panel("Received", "Bps", (rate("telex_http_body_bytes_total"), "{{stage}}"), about="Bodies as they came, before decompression."),
                panel("Hosts and robots.txt", "short", (f"sum(telex_limited_hosts{{{JOB}}})", "hosts known to the limiter"), (f"sum(telex_robots_cached{{{JOB}}})", "robots.txt in the cache"),
                      about="Sizes of the two caches."),
            ],
        ),
    ]


def tags():
    return [
        (
            "Tags",
            [
                panel("Tagged, per hour", "short", (f"sum by (tag) (increase(telex_tagged_total{{{JOB}}}[1h]))", "{{tag}}"), about="An article may have several tags, or none."),
                panel("Tagged within six hours, beside a week ago", "short", (f"sum by (tag) (telex:tagged:increase6h{{{JOB}}})", "{{tag}}"),
                      (f"sum by (tag) (telex:tagged:increase6h{{{JOB}}} offset 1w)", "{{tag}}, a week before"), about="What TelexTagSilent compares."),
                panel("Share of articles with the tag", "percentunit",
                      (f'sum by (tag) (increase(telex_tagged_total{{{JOB}}}[6h])) / ignoring (tag) group_left () (sum(increase(telex_messages_in_total{{{JOB},stage="classifier"}}[6h])) - sum(increase(telex_canaries_total{{{JOB},stage="classifier"}}[6h])) > 0)', "{{tag}}"),
                      about="Over six hours, of what the classifier read, canaries not counted. A step at the time of a deployment is a change of topic files."),
                panel("Topic files broken", "short", (f"max(telex_topic_files_broken{{{JOB}}})", "broken"), about="1 while changed files are wrong and those before stay in use."),
            ],
        ),
        (
            "Articles",
            [
                panel("Articles by kind, per hour", "short", (f"sum by (kind) (increase(telex_articles_total{{{JOB}}}[1h]))", "{{kind}}"),
                      about="summary: no page could be had, the feed's own text stands in.", stack=True),
                panel("From publication to tag", "s", *quantiles("telex_published_to_tagged_seconds"), about="By the date that feed or page states, which publishers set as they like. New articles only."),
            ],
        ),
    ]


def outputs():
    sink, console = f'{JOB},stage="sink"', "telex_console_requests_total"
    seconds = "telex_console_request_seconds"
    slow = f'sum by (route) (rate({seconds}_count{{{JOB}}}[$__rate_interval])) - sum by (route) (rate({seconds}_bucket{{{JOB},le="0.1"}}[$__rate_interval]))'
    return [
        (
            "Sinks",
            [
                panel("Stored", "cps", (rate("telex_sink_rows_total", by="sink"), "{{sink}}"), about="Articles and withdrawals, by sink. Each of several sinks stores all of them.", width=8),
                panel("Seconds of a batch", "s", *quantiles("telex_sink_store_seconds", JOB, "sink"), about="From rows to a durable commit.", width=8),
                panel("Rows of a batch", "short", *quantiles("telex_batch_messages", sink), about="Small batches mean that the sink keeps up.", width=8),
                panel("Batches that could not be stored", "cps", (rate("telex_sink_errors_total", by="sink"), "{{sink}}"), about="They come again. `/readyz` and the log of the sink say why.", width=8),
                panel("Held", "short", (f"max by (sink) (telex_sink_held{{{JOB}}})", "{{sink}}"),
                      about="1 from a batch that could not be stored to the next that could; five minutes while articles wait are TelexSinkHeld.", width=8, limits=(0.5, 1)),
                panel("Passed over", "cps", (rate("telex_dropped_total", sink, "reason"), "{{reason}}"),
                      about="already_stored: read again after a restart. outdated: a newer revision is there.", width=8),
                panel("Age of the oldest article that waits", "s", (f"max(telex_lag_seconds{{{sink}}})", "oldest"), about="Read from the topic of all articles, not yet stored.", limits=(900,)),
                panel("Articles that wait", "short", (f"sum(telex_lag_messages{{{sink}}})", "waiting"), about="On Kafka the marks of transactions count until they are passed."),
            ],
        ),
        (
            "Console",
            [
                panel("Requests by route", "cps", (rate(f"{seconds}_count", by="route"), "{{route}}"), about="Pages, the API, feeds; none: no such address."),
                panel("Requests by status", "cps", (rate(console, by="status"), "{{status}}"), about="503: it waits for a turn too long, a question took over 3 s, or there is no database.", stack=True),
                panel("Seconds to an answer", "s", *quantiles(seconds, which=(0.5, 0.99)), about="To its head; streams have one at once.", width=8, limits=(0.1,)),
                panel("Slow answers", "cps", (slow, "{{route}}"), about="Those that took over 0.1 s, by route.", width=8),
                panel("Streams", "short", (f"sum by (instance) (telex_console_streams{{{JOB}}})", "{{instance}}"), about="Of server-sent events that are read; 64 a process at most.", width=8, limits=(48, 64)),
            ],
        ),
    ]


def main():
    all_of_them = {
        "overview": dashboard("overview", "Telex: overview", overview()),
        "stages": dashboard("stages", "Telex: stages", stages(), per_stage=True),
        "feeds": dashboard("feeds", "Telex: feeds and pages", feeds()),
        "tags": dashboard("tags", "Telex: tags", tags()),
        "outputs": dashboard("outputs", "Telex: sinks and console", outputs()),
    }
    check, stale = "--check" in sys.argv[1:], []
    for name, content in all_of_them.items():
        path, text = FOLDER / f"telex-{name}.json", json.dumps(content, indent=1) + "\n"
        if not check:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            stale.append(path.name)
    extra = {p.name for p in FOLDER.glob("*.json")} - {f"telex-{n}.json" for n in all_of_them}
    if stale or extra:
        sys.exit(f"run deploy/grafana/dashboards.py: {', '.join(sorted(stale) + sorted(extra))}")


main()
