"""The ten configurations in PyTorch, eager or through torch.compile in its default mode.

    python torch_peer.py WORK.json

Tensors of images are channels-last, the optimiser is the fused one, both as PyTorch's tuning guide
has it. The optimiser's step is not compiled: it is one kernel already.
"""

import sys
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import measure

IMPORTED = measure.imported()


class Mixer(nn.Module):
    def __init__(self, tokens, dim, rate):
        super().__init__()
        self.norm = nn.LayerNorm(dim, eps=1e-6)  # one layer, two uses

        def mlp(width):
            return nn.Sequential(nn.Linear(width, tokens), nn.GELU(), nn.Linear(tokens, width), nn.Dropout(rate))

        self.token_mlp, self.channel_mlp = mlp(tokens), mlp(dim)

    def forward(self, x):
        x = x + self.token_mlp(self.norm(x).transpose(1, 2)).transpose(1, 2)
        return x + self.channel_mlp(self.norm(x))


class Attention(nn.Module):
    """Four heads of 64, whatever the number of channels."""

    def __init__(self, dim):
        super().__init__()
        self.qkv = nn.Linear(dim, 3 * 4 * 64)
        self.output = nn.Linear(4 * 64, dim)

    def forward(self, x):
        batch, tokens, _ = x.shape
        q, k, v = self.qkv(x).view(batch, tokens, 3, 4, 64).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v, dropout_p=0.1 if self.training else 0.0)
        return self.output(y.transpose(1, 2).reshape(batch, tokens, 4 * 64))


class ViT(nn.Module):
    def __init__(self, dim, hidden):
        super().__init__()
        self.attention = nn.Sequential(nn.LayerNorm(dim, eps=1e-6), Attention(dim))
        self.mlp = nn.Sequential(
            nn.LayerNorm(dim, eps=1e-6), nn.Linear(dim, hidden), nn.GELU(), nn.Dropout(0.1),
            nn.Linear(hidden, dim), nn.GELU(), nn.Dropout(0.1))

    def forward(self, x):
        x = x + self.attention(x)
        return x + self.mlp(x)


def batch_norm(dim):
    return nn.Sequential(nn.GELU(), nn.BatchNorm2d(dim, eps=1e-3, momentum=0.01))


class ConvMixer(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.depthwise = nn.Sequential(nn.Conv2d(dim, dim, 5, padding="same", groups=dim), batch_norm(dim))
        self.pointwise = nn.Sequential(nn.Conv2d(dim, dim, 1), batch_norm(dim))

    def forward(self, x):  # [B, C, rows, columns]
        return self.pointwise(x + self.depthwise(x))


class Network(nn.Module):
    def __init__(self, work):
        super().__init__()
        model = work.model
        dim, patch = model["dim"], model["patch_size"]
        self.size, self.same = model["image_size"], model["image_size"] == work.height
        mean, deviation = work.mean, np.sqrt(work.variance)
        if not model.get("normalize", False):
            mean, deviation = np.zeros(3), np.full(3, 255)
        for name, values in (("mean", mean), ("deviation", deviation)):
            self.register_buffer(name, torch.tensor(np.float32(values)).view(1, 3, 1, 1), persistent=False)
        self.embedding = nn.Conv2d(3, dim, patch, stride=patch)  # the same as a dense layer over patches
        if model.get("stem") == "conv":
            self.embedding = nn.Sequential(self.embedding, batch_norm(dim))
        self.position = nn.Parameter(0.05 * torch.rand(work.tokens, dim)) if model.get("position") else None
        blocks = {
            "mixer": lambda block: Mixer(work.tokens, dim, model.get("dropout", 0)),
            "vit": lambda block: ViT(dim, block.get("hidden", 64)),
            "convmixer": lambda block: ConvMixer(dim),
        }
        made = [(b["kind"] == "convmixer", blocks[b["kind"]](b)) for b in model["blocks"]]
        self.images = nn.Sequential(*(block for convolves, block in made if convolves))  # these come first
        self.table = nn.Sequential(*(block for convolves, block in made if not convolves))
        head = model.get("head", {})
        self.norm = nn.LayerNorm(dim, eps=1e-6) if head.get("norm") else nn.Identity()
        self.flatten = head.get("pool") == "flatten"
        rate, width = head.get("dropout", 0), dim * work.tokens if self.flatten else dim
        layers = [nn.Dropout(rate)]
        for hidden in head.get("hidden") or []:
            layers += [nn.Linear(width, hidden), nn.GELU(), nn.Dropout(rate)]
            width = hidden
        self.head = nn.Sequential(*layers, nn.Linear(width, model["classes"]))

    def forward(self, images):  # [B, H, W, 3] uint8, which is channels-last
        x = (images.permute(0, 3, 1, 2).float() - self.mean) / self.deviation
        if not self.same:
            x = F.interpolate(x, size=(self.size, self.size), mode="bilinear", align_corners=False)
        x = self.images(self.embedding(x)).flatten(2).transpose(1, 2)  # [B, T, C]
        if self.position is not None:
            x = x + self.position
        x = self.norm(self.table(x))
        return self.head(x.flatten(1) if self.flatten else x.mean(1))


def main(path):
    torch.manual_seed(1)
    work = measure.Work(path)
    torch.set_num_threads(work.threads)
    all_images, all_labels = torch.from_numpy(work.images), torch.from_numpy(work.labels).long()

    work.started = time.perf_counter()
    network = Network(work).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), lr=work.learning_rate, eps=1e-7,
                                  weight_decay=work.scaled_decay, fused=True)
    trainable = sum(p.numel() for p in network.parameters())
    moving = sum(b.numel() for name, b in network.named_buffers() if "running" in name)
    # The reference also counts the 7 constants of its normalisation.
    work.check(trainable, trainable + moving + 7 * work.model.get("normalize", False))
    model = torch.compile(network) if work.tool == "torch-compile" else network

    def step(indices):
        indices = torch.from_numpy(indices)
        optimizer.zero_grad(set_to_none=True)
        loss = F.cross_entropy(model(all_images[indices]), all_labels[indices])
        loss.backward()
        optimizer.step()
        return loss.detach()

    trained = measure.train(work, step, float)
    model.eval()

    def predict(images):
        images = torch.from_numpy(images)
        with torch.inference_mode():
            return torch.cat([model(part) for part in images.split(work.batch)]).numpy()

    measure.report(work, trained, measure.infer(work, predict), {"import_s": IMPORTED}, torch=torch.__version__)


if __name__ == "__main__":
    main(*sys.argv[1:])
