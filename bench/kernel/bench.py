"""Measures a Jupyter kernel as a client sees it: one fresh kernel, one line of JSON on standard output.

    bench.py KERNEL MODULE

KERNEL is the kernelspec's name. Times are seconds of wall clock. Each cell that is not "unchanged" has a text that the
kernel has not seen; "warm" cells come after one of their kind.
"""
import json
import statistics
import sys
import time

from jupyter_client.manager import KernelManager

PATIENCE = 600
name = sys.argv[1]
gonb = name == "gonb"


def simple(n):
    return f'%%\nfmt.Println("cell", {n})'


def gomlx(n):
    return f"""import (
	"github.com/gomlx/gomlx/core/graph"
	"patchlab/backend"
)

%%
b, _, err := backend.Open(context.Background(), backend.XLA, io.Discard)
if err != nil {{
	panic(err)
}}
square := graph.MustNewExec(b, func(x *graph.Node) *graph.Node {{ return graph.Mul(x, x) }})
fmt.Println(square.MustExec1(float32({n})))"""


def run(client, code, expect=None):
    """Runs a cell and returns its seconds, until its reply and its state idle have come."""
    text = []

    def output(message):
        if message["msg_type"] == "stream":
            text.append(message["content"]["text"])

    begin = time.perf_counter()
    reply = client.execute_interactive(code, timeout=PATIENCE, output_hook=output, allow_stdin=False)
    seconds = time.perf_counter() - begin
    if reply["content"]["status"] != "ok" or expect and expect not in "".join(text):
        sys.exit(f"{name}: {code!r}: {reply['content']}, {''.join(text)[-2000:]}")
    return seconds


def complete(client, code, wanted):
    """Asks for a completion and returns its seconds."""
    begin = time.perf_counter()
    asked = client.complete(code)
    while True:
        reply = client.get_shell_msg(timeout=PATIENCE)
        if reply["parent_header"].get("msg_id") == asked:
            break
    seconds = time.perf_counter() - begin
    found = wanted in reply["content"].get("matches", [])
    return seconds, found


figures = {"kernel": name}
manager = KernelManager(kernel_name=name)
begin = time.perf_counter()
manager.start_kernel()
client = manager.client()
client.start_channels()
try:
    client.wait_for_ready(timeout=PATIENCE)
    figures["ready"] = time.perf_counter() - begin
    # The first completion is asked for at once, as nobody does, and does not count the start.
    figures["first_completion"], figures["first_completion_found"] = complete(client, "%%\nfmt.Printl", "Println")
    if gonb:
        run(client, "%noautoget")  # its workspace works with it only
    figures["first_cell"] = run(client, simple(0), "cell 0")
    figures["simple_cell"] = statistics.median(run(client, simple(n), f"cell {n}") for n in range(1, 8))
    figures["unchanged_cell"] = statistics.median(run(client, simple(7), "cell 7") for _ in range(7))
    figures["completion"], figures["completion_found"] = complete(client, "%%\nstrings.ToUpp", "ToUpper")
    figures["gomlx_first"] = run(client, gomlx(3), "9")
    figures["gomlx_warm"] = statistics.median(run(client, gomlx(n), f"{n * n}") for n in (4, 5, 6))
    busy = client.execute("%%\ntime.Sleep(5 * time.Second)")
    while True:  # until it runs
        message = client.get_iopub_msg(timeout=PATIENCE)
        if message["msg_type"] == "execute_input" and message["parent_header"]["msg_id"] == busy:
            break
    figures["completion_while_busy"], figures["completion_while_busy_found"] = complete(client, "%%\nstrings.ToLow", "ToLower")
    begin = time.perf_counter()
    client.stop_channels()
    manager.shutdown_kernel(now=False)
    figures["shutdown"] = time.perf_counter() - begin
finally:
    if manager.has_kernel:
        manager.shutdown_kernel(now=True)
print(json.dumps(figures))
