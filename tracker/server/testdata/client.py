"""Records runs with the unmodified mlflow client, for client_test.go.

Prints one JSON object: what the client itself reads back.
"""
import json
import math
import os
import sys
import tempfile
import warnings

warnings.filterwarnings("ignore")
os.environ["KERAS_BACKEND"] = "jax"
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag, ViewType
from mlflow.exceptions import MlflowException

mlflow.set_tracking_uri(sys.argv[1])
client = MlflowClient()
out = {}


def fails(code, call):
    """The call must fail with that error code of MLflow's."""
    try:
        call()
    except MlflowException as e:
        assert e.error_code == code, (e.error_code, code, str(e))
        return str(e)
    raise AssertionError("it did not fail with " + code)


# The fluent interface, in the default experiment and in one of its own.
with mlflow.start_run(run_name="in the default experiment") as run:
    mlflow.log_metric("x", 1.0)
assert client.get_run(run.info.run_id).info.experiment_id == "0"

mlflow.set_experiment("vision / künstlich")
with mlflow.start_run(run_name="fluent", description="# A *note*", tags={"course": "vision"}) as parent:
    mlflow.log_params({"model": "mixer-4", "learning rate": 0.005, "empty": ""})
    for step in range(5):
        mlflow.log_metric("val/accuracy", step / 4, step=step)
    mlflow.log_metrics({"nan": math.nan, "inf": math.inf, "-inf": -math.inf, "tiny": 5e-324}, step=7)
    mlflow.set_tag("mlflow.runName", "renamed")
    with mlflow.start_run(run_name="child", nested=True) as child:
        mlflow.log_metric("y", 2)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "sub dir", "a b ü.txt")
        os.makedirs(os.path.dirname(path))
        with open(path, "w") as f:
            f.write("artifact")
        mlflow.log_artifacts(folder, "files")
    mlflow.log_dict({"a": 1}, "dict.json")
out["run"] = parent.info.run_id
out["child"] = child.info.run_id
got = client.get_run(parent.info.run_id)
assert got.info.run_name == "renamed" and got.info.status == "FINISHED", got.info
assert got.data.params == {"model": "mixer-4", "learning rate": "0.005", "empty": ""}, got.data.params
assert math.isnan(got.data.metrics["nan"]) and got.data.metrics["inf"] == math.inf and got.data.metrics["tiny"] == 5e-324
assert got.data.tags["mlflow.note.content"] == "# A *note*" and got.data.tags["course"] == "vision"
assert client.get_run(child.info.run_id).data.tags["mlflow.parentRunId"] == parent.info.run_id
history = client.get_metric_history(parent.info.run_id, "val/accuracy")
assert [(m.step, m.value) for m in history] == [(i, i / 4) for i in range(5)], history
assert sorted(f.path for f in client.list_artifacts(parent.info.run_id)) == ["dict.json", "files"]
assert [f.path for f in client.list_artifacts(parent.info.run_id, "files/sub dir")] == ["files/sub dir/a b ü.txt"]
with tempfile.TemporaryDirectory() as folder:
    local = client.download_artifacts(parent.info.run_id, "dict.json", folder)
    assert json.load(open(local)) == {"a": 1}
    local = client.download_artifacts(parent.info.run_id, "files/sub dir", folder)
    assert open(os.path.join(local, "a b ü.txt")).read() == "artifact"

# The client, in batches, with odd steps and times.
experiment = client.create_experiment("batches", tags={"k": "v"})
assert client.get_experiment(experiment).tags == {"k": "v"}
fails("RESOURCE_ALREADY_EXISTS", lambda: client.create_experiment("batches"))
run = client.create_run(experiment, start_time=0, run_name="batch")
points = [Metric("loss", 1 / (i + 1), 1000 + i, i - 1000) for i in range(1000)]
client.log_batch(run.info.run_id, metrics=points, params=[], tags=[])
client.log_batch(run.info.run_id, params=[Param("a", "b")], tags=[RunTag("t", "u")])
fails("INVALID_PARAMETER_VALUE", lambda: client.log_param(run.info.run_id, "a", "c"))
client.set_terminated(run.info.run_id, "KILLED", end_time=5000)
client.log_metric(run.info.run_id, "late", 1.0)  # after the end, as MLflow allows
got = client.get_run(run.info.run_id)
assert got.info.status == "KILLED" and got.info.end_time == 5000 and got.data.metrics["late"] == 1.0, got
history = client.get_metric_history(run.info.run_id, "loss")
assert [(m.step, m.timestamp, m.value) for m in history] == [(p.step, p.timestamp, p.value) for p in points]
client.set_tag(run.info.run_id, "gone", "x")
client.delete_tag(run.info.run_id, "gone")
client.set_experiment_tag(experiment, "color", "blue")
assert client.get_experiment(experiment).tags["color"] == "blue"
out["batch"] = run.info.run_id

# Finding, in MLflow's grammar, with pages and orders.
for i in range(7):
    r = client.create_run(experiment, run_name="r%d" % i)
    client.log_metric(r.info.run_id, "score", i)
    client.log_param(r.info.run_id, "even", i % 2 == 0)
    client.set_terminated(r.info.run_id)
found = client.search_runs([experiment], "metrics.score > 2 and params.even = 'True'", order_by=["metrics.score DESC"])
assert [r.data.metrics["score"] for r in found] == [6, 4], found
page = client.search_runs([experiment], "", max_results=3, order_by=["attributes.run_name ASC"])
assert len(page) == 3 and page.token
page = client.search_runs([experiment], "", max_results=3, order_by=["attributes.run_name ASC"], page_token=page.token)
assert [r.info.run_name for r in page] == ["r2", "r3", "r4"], [r.info.run_name for r in page]
out["syntax"] = fails("INVALID_PARAMETER_VALUE", lambda: client.search_runs([experiment], "metrics.score >> 1"))
client.delete_run(found[0].info.run_id)
assert len(client.search_runs([experiment], "metrics.score >= 0")) == 6
assert len(client.search_runs([experiment], "", ViewType.DELETED_ONLY)) == 1
client.restore_run(found[0].info.run_id)
frame = mlflow.search_runs(experiment_names=["batches"], filter_string="metrics.score >= 0")
assert len(frame) == 7 and set(frame["params.even"]) == {"True", "False"}
fails("RESOURCE_DOES_NOT_EXIST", lambda: client.get_run("01JD8ZK3T5AAAAAAAAAAAAAAAA"))
fails("RESOURCE_DOES_NOT_EXIST", lambda: client.get_experiment("999"))
assert client.get_experiment_by_name("nowhere") is None
client.rename_experiment(experiment, "renamed batches")
assert client.get_experiment(experiment).name == "renamed batches"
other = client.create_experiment("to be deleted")
client.delete_experiment(other)
assert client.get_experiment(other).lifecycle_stage == "deleted"
client.restore_experiment(other)
assert "to be deleted" in [e.name for e in client.search_experiments()]

# scikit-learn: autologging, datasets, a logged model that loads again.
import numpy
import sklearn.linear_model

mlflow.set_experiment("autolog")
mlflow.sklearn.autolog()
x = numpy.arange(40, dtype=float).reshape(20, 2)
y = x[:, 0] * 2 + 1
with mlflow.start_run(run_name="sklearn") as run:
    mlflow.log_input(mlflow.data.from_numpy(x, name="numbers"), context="training")
    sklearn.linear_model.LinearRegression().fit(x, y)
mlflow.sklearn.autolog(disable=True)
got = client.get_run(run.info.run_id)
assert "training_r2_score" in got.data.metrics and got.data.params["fit_intercept"] == "True", got.data
assert "numbers" in [d.dataset.name for d in got.inputs.dataset_inputs]
models = mlflow.search_logged_models([run.info.experiment_id], output_format="list")
assert len(models) == 1 and models[0].status == "READY", models
assert abs(mlflow.sklearn.load_model("models:/" + models[0].model_id).predict([[3.0, 4.0]])[0] - 7) < 1e-6
out["sklearn"] = run.info.run_id

# What is logged of a model with the run's metrics, and deleted again.
client.set_logged_model_tags(models[0].model_id, {"kind": "linear", "gone": "x"})
client.delete_logged_model_tag(models[0].model_id, "gone")
assert client.get_logged_model(models[0].model_id).tags["kind"] == "linear"
assert "gone" not in client.get_logged_model(models[0].model_id).tags
client.delete_logged_model(models[0].model_id)
fails("RESOURCE_DOES_NOT_EXIST", lambda: client.get_logged_model(models[0].model_id))
client.set_experiment_tag(experiment, "gone", "x")
client.delete_experiment_tag(experiment, "gone")
assert "gone" not in client.get_experiment(experiment).tags

# Artifacts after the end: more may come, another content is refused until the run is reopened.
ended = out["batch"]
client.log_text(ended, "one", "late.txt")
client.log_text(ended, "one", "late.txt")
try:
    client.log_text(ended, "two", "late.txt")
    raise AssertionError("an artifact of an ended run was replaced")
except Exception as e:
    assert "RUNNING" in str(e), e
    out["replaced"] = str(e)
client.update_run(ended, status="RUNNING")
client.log_text(ended, "two", "late.txt")
client.set_terminated(ended, "KILLED", end_time=5000)
assert mlflow.artifacts.load_text("runs:/%s/late.txt" % ended) == "two"

# What the server refuses, as MLflow's does.
fails("INVALID_PARAMETER_VALUE", lambda: client.log_metric(ended, "x", 1.0, timestamp=-1))
fails("INVALID_PARAMETER_VALUE", lambda: client.set_tag(ended, "patchlab.model.x", "{}"))

# Keras: autologging, with the model, and log_model.
import keras

mlflow.keras.autolog()
with mlflow.start_run(run_name="keras") as run:
    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(learning_rate=0.25), "mse", metrics=["mae"])
    model.fit(x / 40, y / 80, validation_data=(x / 40, y / 80), epochs=3, batch_size=8, verbose=0)
mlflow.keras.autolog(disable=True)
got = client.get_run(run.info.run_id)
out["keras"] = run.info.run_id
assert {"loss", "mae", "val_loss", "val_mae"} <= set(got.data.metrics), got.data.metrics
steps = [m.step for m in client.get_metric_history(run.info.run_id, "val_loss")]
assert steps == [0, 1, 2], steps  # the client says some of them twice
assert float(got.data.params["optimizer_learning_rate"]) == 0.25 and got.data.params["epochs"] == "3", got.data.params
assert "model_summary.txt" in [f.path for f in client.list_artifacts(run.info.run_id)]
logged = mlflow.search_logged_models([run.info.experiment_id], filter_string="name = 'model'", output_format="list")
logged = [m for m in logged if m.source_run_id == run.info.run_id]
assert len(logged) == 1 and logged[0].status == "READY", logged
loaded = mlflow.keras.load_model("models:/" + logged[0].model_id)
assert numpy.allclose(loaded.predict(x, verbose=0), model.predict(x, verbose=0), atol=1e-6)
with mlflow.start_run(run_id=run.info.run_id):  # resumed
    info = mlflow.keras.log_model(model, name="net")
loaded = mlflow.keras.load_model(info.model_uri)
assert numpy.allclose(loaded.predict(x, verbose=0), model.predict(x, verbose=0), atol=1e-6)
assert sorted(m.model_id for m in client.get_run(run.info.run_id).outputs.model_outputs) == sorted([info.model_id, logged[0].model_id])
print(json.dumps(out))
