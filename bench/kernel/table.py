"""Makes the table of the medians: table.py LINES CSV MARKDOWN MACHINE"""
import csv
import json
import statistics
import sys

ROWS = [
    ("ready", "kernel ready", 0.5),
    ("first_cell", "first cell", None),
    ("simple_cell", "simple cell", 0.3),
    ("unchanged_cell", "unchanged cell", 0.15),
    ("gomlx_first", "first GoMLX cell", None),
    ("gomlx_warm", "GoMLX cell, warm", 2),
    ("first_completion", "first completion, asked for at once", 2),
    ("completion", "completion", None),
    ("completion_while_busy", "completion while a cell runs for 5 s", None),
    ("shutdown", "shutdown", None),
]
lines, csv_file, markdown, machine = sys.argv[1:]
runs = {}
with open(lines) as f:
    for line in f:
        r = json.loads(line)
        runs.setdefault(r["kernel"], []).append(r)
kernels = sorted(runs, key=lambda k: k != "patchlab")
with open(csv_file, "w", newline="") as f:
    w = csv.writer(f)
    w.writerow(["kernel", "figure", "median_s", "min_s", "max_s", "rounds"])
    for k in kernels:
        for key, _, _ in ROWS:
            v = [r[key] for r in runs[k]]
            w.writerow([k, key, f"{statistics.median(v):.3f}", f"{min(v):.3f}", f"{max(v):.3f}", len(v)])
with open(markdown, "w") as f:
    f.write("# The kernel beside plain GoNB\n\n")
    rounds = len(runs[kernels[0]])
    f.write(f"Seconds, medians of {rounds} interleaved rounds (smallest to largest), each with a fresh kernel. Made by `ROUNDS={rounds} make bench-kernel`.\n{machine}\n\n")
    f.write("| | " + " | ".join(kernels) + " | goal |\n|---|" + "---|" * (len(kernels) + 1) + "\n")
    for key, name, goal in ROWS:
        cells = []
        for k in kernels:
            v = [r[key] for r in runs[k]]
            text = f"{statistics.median(v):.2f} ({min(v):.2f}–{max(v):.2f})"
            if not all(r.get(key + "_found", True) for r in runs[k]):
                text += ", without the name"
            cells.append(text)
        f.write(f"| {name} | " + " | ".join(cells) + f" | {goal if goal else '–'} |\n")
