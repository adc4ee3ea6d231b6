"""Writes the table of medians of what work.py and ours printed.

    python table.py LINES RESULT ROOT
"""
import csv
import datetime
import json
import os
import re
import statistics
import sys

COLUMNS = [
    ("points_per_s", "points/s", "%.0f"),
    ("call_median_ms", "call median ms", "%.4f"),
    ("call_p99_ms", "call p99 ms", "%.4f"),
    ("points_per_call", "points a call", "%.0f"),
    ("history_ms", "1,000-point history ms", "%.2f"),
    ("list_ms", "list of runs ms", "%.2f"),
    ("mb_per_1e6", "MB per 1e6 points", "%.1f"),
]


def version(root, tracker):
    path = "tracker/server/testdata/requirements.txt" if tracker == "mlflow" else "bench/trackers/requirements/%s.txt" % tracker
    try:
        with open(os.path.join(root, path)) as f:
            return re.search(r"^%s==(\S+)" % tracker, f.read(), re.M).group(1)
    except (OSError, AttributeError):
        return ""


def machine():
    with open("/proc/cpuinfo") as f:
        model = re.search(r"model name\s*: (.*)", f.read()).group(1)
    return "%s, %d CPUs" % (model, os.cpu_count())


def main():
    lines, result, root = sys.argv[1:]
    by = {}
    with open(lines) as f:
        for line in f:
            entry = json.loads(line)
            by.setdefault(entry["tracker"], []).append(entry)
    rows = []
    for tracker, entries in by.items():
        row = {"tracker": tracker, "version": version(root, tracker), "rounds": len(entries)}
        for key, _, _ in COLUMNS:
            found = [e[key] for e in entries if e[key] is not None]
            row[key] = statistics.median(found) if found else None
        rows.append(row)
    runs, steps = entries[0]["runs"], entries[0]["steps"]
    with open(result + ".csv", "w", newline="") as f:
        out = csv.writer(f)
        out.writerow(["tracker", "version", "rounds", "runs", "steps"] + [key for key, _, _ in COLUMNS] + ["machine", "date"])
        for r in rows:
            out.writerow([r["tracker"], r["version"], r["rounds"], runs, steps] +
                         ["" if r[key] is None else "%.6g" % r[key] for key, _, _ in COLUMNS] + [machine(), datetime.date.today()])
    with open(result + ".md", "w") as f:
        f.write("# Trackers side by side\n\n`make bench-trackers`, %s, %s: %d runs × 10 metrics × %d steps, median of %d rounds, interleaved.\n\n"
                % (datetime.date.today(), machine(), runs, steps, max(r["rounds"] for r in rows)))
        f.write("| tracker | " + " | ".join(title for _, title, _ in COLUMNS) + " |\n|---" + "|---" * len(COLUMNS) + "|\n")
        for r in rows:
            f.write("| %s %s | " % (r["tracker"], r["version"]) +
                    " | ".join("–" if r[key] is None else form % r[key] for key, _, form in COLUMNS) + " |\n")
        f.write("\nA call is one step of ten metrics; of MLflow and FastTrackML, whose single calls take milliseconds each,\n"
                "a batch of 1,000 points. W&B's offline files can't be read before they are synchronised to its server.\n")
    print(open(result + ".md").read())


main()
