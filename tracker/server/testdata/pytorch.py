"""Trains with Lightning under mlflow.pytorch.autolog, for pytorch_test.go.

Prints one JSON object: the IDs of what it recorded.
"""
import json
import logging
import os
import sys
import tempfile
import warnings

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)

import lightning
import mlflow
import torch
from mlflow import MlflowClient

mlflow.set_tracking_uri(sys.argv[1])
client = MlflowClient()
torch.manual_seed(1)
lightning.seed_everything(1, verbose=False)
x = torch.rand(64, 2)
y = x @ torch.tensor([[2.0], [-1.0]]) + 0.5


class Line(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(2, 1)

    def forward(self, batch):
        return self.layer(batch)

    def training_step(self, batch, _):
        loss = torch.nn.functional.mse_loss(self(batch[0]), batch[1])
        self.log("train_loss", loss, on_epoch=True)
        return loss

    def validation_step(self, batch, _):
        self.log("val_loss", torch.nn.functional.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.25)


def loader(shuffle):
    return torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), batch_size=16, shuffle=shuffle)


mlflow.set_experiment("pytorch")
mlflow.pytorch.autolog(log_every_n_step=1)
model = Line()
with tempfile.TemporaryDirectory() as folder, mlflow.start_run(run_name="lightning") as run:
    trainer = lightning.Trainer(max_epochs=3, accelerator="cpu", default_root_dir=folder, logger=False, enable_progress_bar=False,
                                enable_model_summary=False, log_every_n_steps=1)
    trainer.fit(model, loader(True), loader(False))
mlflow.pytorch.autolog(disable=True)
got = client.get_run(run.info.run_id)
assert got.info.status == "FINISHED", got.info
assert got.data.params["epochs"] == "3" and got.data.params["optimizer_name"] == "SGD" and float(got.data.params["lr"]) == 0.25, got.data.params
assert {"train_loss", "val_loss"} <= set(got.data.metrics), got.data.metrics
history = client.get_metric_history(run.info.run_id, "val_loss")
assert len(history) >= 3 and history[-1].value < history[0].value, history
assert "model_summary.txt" in [f.path for f in client.list_artifacts(run.info.run_id)]
logged = [m for m in mlflow.search_logged_models([run.info.experiment_id], output_format="list") if m.source_run_id == run.info.run_id]
assert logged and all(m.status == "READY" for m in logged), logged

with mlflow.start_run(run_name="log_model") as plain:
    info = mlflow.pytorch.log_model(model.layer, name="net", input_example=x.numpy())
loaded = mlflow.pytorch.load_model(info.model_uri)
assert torch.allclose(loaded(x), model.layer(x))
print(json.dumps({"run": run.info.run_id, "models": [m.model_id for m in logged], "plain": plain.info.run_id, "model": info.model_id,
                  "torch": torch.__version__, "lightning": lightning.__version__}))
