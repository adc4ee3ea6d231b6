"""Logs batches of 1,000 points to a tracking server for some seconds, through
the mlflow client and then as plain requests without the client's own work, and
prints a line of JSON: points a second, each acknowledged.

    python serve.py NAME URI SECONDS
"""
import http.client
import json
import sys
import time

from mlflow import MlflowClient
from mlflow.entities import Metric


def batch(first):
    """1,000 points of ten metrics that go on from point first."""
    return [("m%d" % (i % 10), (first + i) % 977 * 0.37, 1000 + first + i, (first + i) // 10) for i in range(1000)]


def main():
    name, uri, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
    client = MlflowClient(uri)
    experiment = client.create_experiment("serve %s" % time.time())

    run = client.create_run(experiment).info.run_id
    client.log_batch(run, metrics=[Metric(*p) for p in batch(0)])  # warm
    logged, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        logged += 1000
        client.log_batch(run, metrics=[Metric(*p) for p in batch(logged)])
    through_client = logged / (time.perf_counter() - start)
    client.set_terminated(run)
    found = client.get_run(run).data.metrics
    assert len(found) == 10 and found["m9"] == batch(logged)[-1][1], found

    run = client.create_run(experiment).info.run_id
    connection = http.client.HTTPConnection(uri.split("//")[1])
    sent, waited = 0, 0.0
    while waited < seconds:
        body = json.dumps({"run_id": run, "metrics": [
            dict(zip(("key", "value", "timestamp", "step"), p)) for p in batch(sent)]})
        start = time.perf_counter()  # making the body is not the server's work
        connection.request("POST", "/api/2.0/mlflow/runs/log-batch", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        waited += time.perf_counter() - start
        assert answer.status == 200, answer.status
        sent += 1000
    client.set_terminated(run)
    print(json.dumps({"server": name, "client": through_client, "plain": sent / waited}))


main()
