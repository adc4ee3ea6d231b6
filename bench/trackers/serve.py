"""Logs batches of 1,000 points to a tracking server for some seconds, through
the mlflow client and then as plain requests without the client's own work.

    python serve.py NAME URI SECONDS
"""
import http.client
import json
import sys
import time

from mlflow import MlflowClient
from mlflow.entities import Metric


def main():
    name, uri, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
    client = MlflowClient(uri)
    experiment = client.create_experiment("serve %s" % time.time())
    run = client.create_run(experiment)
    logged, start = 0, time.time()
    while time.time() - start < seconds:
        batch = [Metric("m%d" % (i % 10), i * 0.37, 1000 + logged + i, (logged + i) // 10) for i in range(1000)]
        client.log_batch(run.info.run_id, metrics=batch)
        logged += 1000
    through_client = logged / (time.time() - start)

    run = client.create_run(experiment)
    bodies = [json.dumps({"run_id": run.info.run_id, "metrics": [
        {"key": "m%d" % (i % 10), "value": i * 0.37, "timestamp": 1000 + k * 1000 + i, "step": (k * 1000 + i) // 10}
        for i in range(1000)]}) for k in range(500)]
    connection = http.client.HTTPConnection(uri.split("//")[1])
    sent, start = 0, time.time()
    while time.time() - start < seconds and sent < len(bodies):
        connection.request("POST", "/api/2.0/mlflow/runs/log-batch", bodies[sent], {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200, answer.status
        sent += 1
    print("| %s | %.0f | %.0f |" % (name, through_client, sent * 1000 / (time.time() - start)))


main()
