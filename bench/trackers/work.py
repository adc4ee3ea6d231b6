"""One tracker does the work of the comparison and prints a line of JSON.

    python work.py TRACKER FOLDER RUNS STEPS

The work: RUNS runs, each with 10 noisy metrics at STEPS steps, durable when a
run ends; then the 1,000-point history of one metric, read cold ten times from
different runs; then the list of all runs with their latest values.
"""
import json
import math
import os
import random
import statistics
import sys
import time

METRICS = ["metric_%d" % i for i in range(10)]
PARAMS = {"parameter_%d" % i: str(i) for i in range(15)}


def values(seed):
    """The same kind of values as tracker/bench_test.go makes: decay and noise, full doubles."""
    rng = random.Random(seed)
    step = 0
    while True:
        yield {key: (i + 1) * math.exp(-step / 500) + 0.1 * rng.gauss(0, 1) for i, key in enumerate(METRICS)}
        step += 1


def timed(calls, call):
    start = time.perf_counter()
    result = call()
    calls.append(time.perf_counter() - start)
    return result


def with_mlflow(uri, folder, runs, steps):
    """MLflow's client in batches of 1,000 points, the largest it allows and its fastest way."""
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param

    client = MlflowClient(uri)
    experiment = client.create_experiment("bench")
    calls, ids = [], []

    def write():
        for r in range(runs):
            run = client.create_run(experiment)
            client.log_batch(run.info.run_id, params=[Param(k, v) for k, v in PARAMS.items()])
            source, batch = values(r), []
            for step in range(steps):
                now = int(time.time() * 1000)
                batch += [Metric(k, v, now, step) for k, v in next(source).items()]
                if len(batch) == 1000:
                    timed(calls, lambda: client.log_batch(run.info.run_id, metrics=batch))
                    batch = []
            if batch:
                client.log_batch(run.info.run_id, metrics=batch)
            client.set_terminated(run.info.run_id)
            ids.append(run.info.run_id)

    def history(r):
        assert len(client.get_metric_history(ids[r], "metric_3")) == steps

    def listing():
        found = client.search_runs([experiment], max_results=10000)
        assert len(found) == runs and len(found[0].data.metrics) == 10
    return write, history, listing, calls, 1000


def mlflow(folder, runs, steps):
    return with_mlflow("sqlite:///" + os.path.join(folder, "mlflow.db"), folder, runs, steps)


def fasttrackml(folder, runs, steps):
    return with_mlflow(os.environ["FASTTRACKML_URI"], folder, runs, steps)


def aim(folder, runs, steps):
    from aim import Repo, Run

    Repo.from_path(folder, init=True)
    calls, ids = [], []

    def write():
        for r in range(runs):
            run = Run(repo=folder, system_tracking_interval=None, capture_terminal_logs=False)
            run["params"] = PARAMS
            source = values(r)
            for step in range(steps):
                v = next(source)
                timed(calls, lambda: [run.track(x, name=k, step=step) for k, x in v.items()])
            ids.append(run.hash)
            run.close()

    # Opened for writing: opened for reading, this version sees runs only after its indexer has run.
    def history(r):
        run = Run(ids[r], repo=folder, system_tracking_interval=None, capture_terminal_logs=False)
        found = [m for m in run.metrics() if m.name == "metric_3"]
        assert len(found[0].values.values_numpy()) == steps
        run.close()

    def listing():
        for run_id in ids:
            run = Run(run_id, repo=folder, system_tracking_interval=None, capture_terminal_logs=False)
            assert run["params"] and len([m.values.last() for m in run.metrics()]) == 10
            run.close()
    return write, history, listing, calls, 10


def trackio(folder, runs, steps):
    os.environ["TRACKIO_DIR"] = folder
    import trackio
    from trackio.sqlite_storage import SQLiteStorage

    calls = []

    def write():
        for r in range(runs):
            trackio.init(project="bench", name="run-%d" % r, config=PARAMS, embed=False)
            source = values(r)
            for step in range(steps):
                v = next(source)
                timed(calls, lambda: trackio.log(v, step=step))
            trackio.finish()

    def history(r):
        logs = SQLiteStorage.get_logs("bench", "run-%d" % r)
        assert len([x["metric_3"] for x in logs]) == steps

    def listing():
        names = SQLiteStorage.get_runs("bench")
        assert len(names) == runs
        for name in names:
            SQLiteStorage.get_run_config("bench", name)
            assert SQLiteStorage.get_last_step("bench", name) is not None \
                if hasattr(SQLiteStorage, "get_last_step") else True
    return write, history, listing, calls, 10


def wandb(folder, runs, steps):
    os.environ.update(WANDB_MODE="offline", WANDB_DIR=folder, WANDB_SILENT="true", WANDB_CONSOLE="off",
                      WANDB__DISABLE_STATS="true", WANDB_DATA_DIR=folder, WANDB_CACHE_DIR=folder, WANDB_CONFIG_DIR=folder)
    import wandb

    calls = []

    def write():
        for r in range(runs):
            run = wandb.init(project="bench", config=PARAMS, reinit="finish_previous",
                             settings=wandb.Settings(x_disable_stats=True, x_disable_meta=True))
            source = values(r)
            for step in range(steps):
                v = next(source)
                timed(calls, lambda: run.log(v, step=step))
            run.finish()
    return write, None, None, calls, 10  # offline files can't be read before they are synchronised


def tensorboard(folder, runs, steps):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.summary import Writer

    calls = []

    def write():
        for r in range(runs):
            writer = Writer(os.path.join(folder, "run-%d" % r))
            source = values(r)
            for step in range(steps):
                v = next(source)
                timed(calls, lambda: [writer.add_scalar(k, x, step) for k, x in v.items()])
            writer.close()

    def load(r):
        a = EventAccumulator(os.path.join(folder, "run-%d" % r), size_guidance={"tensors": 0, "scalars": 0})
        a.Reload()
        return a

    def history(r):
        assert len(load(r).Tensors("metric_3")) == steps

    def listing():
        for r in range(runs):
            a = load(r)
            assert len([a.Tensors(k)[-1] for k in METRICS]) == 10
    return write, history, listing, calls, 10


def size(folder):
    return sum(os.path.getsize(os.path.join(d, f)) for d, _, files in os.walk(folder) for f in files)


def main():
    name, folder, runs, steps = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    os.makedirs(folder, exist_ok=True)
    write, history, listing, calls, each = globals()[name](folder, runs, steps)
    start = time.perf_counter()
    write()
    took = time.perf_counter() - start
    calls.sort()

    def median(work, times):
        if work is None:
            return None
        seconds = []
        for i in range(times):
            timed(seconds, lambda: work(i % runs))
        return 1000 * statistics.median(seconds)

    print(json.dumps({
        "tracker": name, "points_per_s": runs * steps * 10 / took, "points_per_call": each,
        "call_median_ms": 1000 * calls[len(calls) // 2], "call_p99_ms": 1000 * calls[len(calls) * 99 // 100],
        "history_ms": median(history, 10), "list_ms": median(listing and (lambda _: listing()), 5),
        "mb_per_1e6": size(folder) / (runs * steps * 10), "runs": runs, "steps": steps,
    }))


main()
