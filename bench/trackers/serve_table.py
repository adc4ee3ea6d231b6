"""Writes the table of what serve.py printed: medians, and the span of rounds.

    python serve_table.py LINES COMMAND VERSIONS LOAD
"""
import datetime
import json
import os
import re
import statistics
import sys


def main():
    lines, command, versions, load = sys.argv[1:]
    by = {}
    with open(lines) as f:
        for line in f:
            entry = json.loads(line)
            by.setdefault(entry["server"], []).append(entry)
    with open("/proc/cpuinfo") as f:
        model = re.search(r"model name\s*: (.*)", f.read()).group(1)
    with open("/proc/meminfo") as f:
        memory = int(re.search(r"MemTotal:\s*(\d+)", f.read()).group(1)) / 2**20
    rounds = min(len(entries) for entries in by.values())
    print("# Two servers of MLflow's protocol, side by side\n")
    print("`%s`, %s, %s, %d CPUs, %.0f GB, load average before %s; %s.\n"
          % (command, datetime.date.today(), model, os.cpu_count(), memory, load, versions))
    print("Points a second that the server has acknowledged, in batches of 1,000, one client at a time,\n"
          "%d rounds in turn; median (lowest to highest round).\n" % rounds)
    print("| server | through the mlflow client | plain requests |")
    print("|---|---|---|")
    medians = {}
    for server, entries in by.items():
        cells = []
        for key in ("client", "plain"):
            values = [e[key] for e in entries]
            medians[server, key] = statistics.median(values)
            cells.append("%s (%s to %s)" % tuple("{:,.0f}".format(v) for v in (medians[server, key], min(values), max(values))))
        print("| %s | %s | %s |" % (server, *cells))
    ours, theirs = list(by)
    print("| **ratio of the medians** | **%.1f** | **%.1f** |\n"
          % tuple(medians[ours, key] / medians[theirs, key] for key in ("client", "plain")))
    print("Through the client, most of the time of a batch is the client's own.")


main()
