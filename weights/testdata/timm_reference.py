"""What timm computes, for weights/timm_test.go to compare with.

    timm_reference.py golden FILE.json        a few small architectures on drawn pictures
    timm_reference.py files FOLDER PICTURE…   all of them on real pictures, with what timm saves

Weights, BatchNorm's statistics among them, and drawn pictures follow from a
formula that the Go test has too, so that no large file is needed.

golden writes for each architecture the number of its parameters, and for each
drawn picture the first logits, the five classes of the highest and the SHA-256
of the pixels that timm's evaluation transform shows to the network.

files writes FOLDER/NAME/model.safetensors and config.json, as timm saves them,
and FOLDER/NAME/logits.safetensors with "logits" [pictures, classes].
"""

import hashlib
import json
import math
import pathlib
import sys

import numpy as np
import PIL
import timm
import torch
from PIL import Image
from safetensors.torch import save_file
from timm.data import create_transform, resolve_data_config
from timm.models.convmixer import ConvMixer
from timm.models.mlp_mixer import MlpMixer
from timm.models.vision_transformer import VisionTransformer

IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225], "interpolation": "bicubic"}

# Those that timm names, and those for 32 x 32 pixels that its classes build.
BUILT = {
    "vit_tiny_patch16_224-average": lambda: timm.create_model("vit_tiny_patch16_224", global_pool="avg", class_token=False, fc_norm=False),
    "vit-lite-7-4": lambda: VisionTransformer(img_size=32, patch_size=4, embed_dim=256, depth=7, num_heads=4, mlp_ratio=2, qkv_bias=False, num_classes=10),
    "mixer-128-8": lambda: MlpMixer(img_size=32, patch_size=4, num_blocks=8, embed_dim=128, num_classes=10),
    "convmixer-256-8": lambda: ConvMixer(256, 8, kernel_size=5, patch_size=2, num_classes=10),
    "convmixer-256-8-k9-p1": lambda: ConvMixer(256, 8, kernel_size=9, patch_size=1, num_classes=10),
}
SMALL = ["vit_tiny_patch16_224", "vit_tiny_patch16_224-average", "vit-lite-7-4", "mixer_s16_224", "mixer-128-8", "convmixer-256-8"]
ALL = SMALL + ["vit_small_patch16_224", "vit_base_patch16_224", "mixer_b16_224", "convmixer_768_32", "convmixer_1536_20", "convmixer-256-8-k9-p1"]
PICTURES = [(300, 260), (40, 64), (224, 224), (500, 333)]  # width, height


def uniform(name, count):
    """SplitMix64 from the FNV-1a hash of a name: numbers in [-1, 1) on a grid of 2^24 points."""
    key = 14695981039346656037
    for byte in name.encode():
        key = (key ^ byte) * 1099511628211 % 2**64
    with np.errstate(over="ignore"):
        z = np.uint64(key) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ z >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ z >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
        z = z ^ z >> np.uint64(31)
    return (z >> np.uint64(40)).astype(np.float64) / 2**23 - 1


def formula(name, shape):
    """Values that keep the activations of a deep network between naught and infinity."""
    count = math.prod(shape)
    if name.endswith("running_var"):
        base, scale = 1.0, 0.5
    elif len(shape) == 1 and name.endswith("weight"):  # of a norm
        base, scale = 1.0, 0.25
    elif len(shape) == 1:  # biases, means
        base, scale = 0.0, 0.125
    elif name in ("pos_embed", "cls_token"):
        base, scale = 0.0, 0.5
    else:
        base, scale = 0.0, math.sqrt(3 / (count // shape[0]))
    return (base + scale * uniform(name, count)).astype(np.float32).reshape(shape)


def build(name):
    model = BUILT[name]() if name in BUILT else timm.create_model(name)
    state = model.state_dict()
    for key, value in state.items():
        if not key.endswith("num_batches_tracked"):
            state[key] = torch.from_numpy(formula(key, tuple(value.shape)))
    model.load_state_dict(state)
    return model.eval()


def config_of(name, model):
    """What timm shows to the network; for those that it does not name, ImageNet's."""
    if name not in BUILT or "_224" in name:
        return dict(model.pretrained_cfg)
    size = 32
    return {**IMAGENET, "input_size": [3, size, size], "crop_pct": 0.875, "crop_mode": "center"}


def drawn(width, height):
    y, x, c = np.mgrid[0:height, 0:width, 0:3]
    noise = ((uniform(f"{width}x{height}", width * height * 3).reshape(height, width, 3) + 1) * 32).astype(np.int64)
    return Image.fromarray(((x * (c + 1) + y * (3 - c)) % 192 + noise).astype(np.uint8))


def transform_of(config):
    return create_transform(**resolve_data_config({}, pretrained_cfg=config))


def run(model, config, pictures):
    transform = transform_of(config)
    with torch.no_grad():
        return torch.cat([model(transform(p)[None]) for p in pictures])


def shown(config, picture):
    """The bytes after resizing and cropping, before they become numbers."""
    for step in transform_of(config).transforms:
        if type(step).__name__ in ("MaybeToTensor", "ToTensor"):
            return np.asarray(picture)
        picture = step(picture)


def golden(path):
    pictures = [drawn(*size) for size in PICTURES]
    table = {"made_by": f"timm {timm.__version__}, torch {torch.__version__}, Pillow {PIL.__version__}", "pictures": PICTURES, "models": {}}
    for name in SMALL:
        model = build(name)
        config = config_of(name, model)
        logits = run(model, config, pictures)
        table["models"][name] = {
            "parameters": sum(p.numel() for p in model.parameters()),
            "mean": list(config["mean"]),
            "std": list(config["std"]),
            "crop": config["crop_pct"],
            "logits": [[float(v) for v in row[:10]] for row in logits],
            "top5": torch.topk(logits, 5).indices.tolist(),
            "shown": [hashlib.sha256(shown(config, p).tobytes()).hexdigest() for p in pictures],
        }
    pathlib.Path(path).write_text(json.dumps(table, indent=1) + "\n")


def files(folder, paths):
    pictures = [Image.open(p).convert("RGB") for p in paths]
    for name in ALL:
        model = build(name)
        config = config_of(name, model)
        out = pathlib.Path(folder) / name
        out.mkdir(parents=True)
        save_file(model.state_dict(), out / "model.safetensors")
        keep = {k: v for k, v in config.items() if isinstance(v, (str, int, float, list, tuple))}
        architecture = name.removesuffix("-average")
        (out / "config.json").write_text(json.dumps({"architecture": architecture, "num_classes": model.num_classes, "pretrained_cfg": keep}))
        save_file({"logits": run(model, config, pictures)}, out / "logits.safetensors")
        print(name, sum(p.numel() for p in model.parameters()), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "golden":
        golden(sys.argv[2])
    else:
        files(sys.argv[2], sys.argv[3:])
