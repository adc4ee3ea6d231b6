"""Make the images against which RandAugment's operations are tested.

Each operation goes through Pillow in the way in which torchvision's RandAugment
calls it (grey 128 comes into view, shears turn about the corner); input and
outputs are written as JSON and committed, so that the Go tests need no Python.
Run it from this folder with the Python that runs the mlflow client's tests:

    ../../../.venv/mlflow/bin/python pillow.py > pillow.json
"""

import base64
import json
import math
import random

import PIL
from PIL import Image, ImageEnhance, ImageOps

W, H = 20, 16
rng = random.Random(5)

# Smooth colours, an edge, and noise: enough to tell every operation's details apart.
image = Image.new("RGB", (W, H))
for y in range(H):
    for x in range(W):
        base = (40 + 8 * x, 200 - 8 * y, 90 + 2 * x + y if x < 13 else 30)
        image.putpixel((x, y), tuple(min(255, max(0, b + rng.randint(-20, 20))) for b in base))
# One channel with few values, one with a narrow range.
narrow = image.point([v // 3 + 60 for v in range(256)] + [v // 64 * 60 for v in range(256)] + list(range(256)))


def affine(im, matrix):
    return im.transform(im.size, Image.Transform.AFFINE, matrix, Image.Resampling.NEAREST, fillcolor=(128, 128, 128))


def operate(im, op, magnitude, sign):
    m = magnitude / 30
    s = m * sign
    match op:
        case "identity":
            return im
        case "autoContrast":
            return ImageOps.autocontrast(im)
        case "equalize":
            return ImageOps.equalize(im)
        case "rotate":
            return im.rotate(30 * s, Image.Resampling.NEAREST, fillcolor=(128, 128, 128))
        case "solarize":
            return ImageOps.solarize(im, 255 * (1 - m))
        case "colour":
            return ImageEnhance.Color(im).enhance(1 + 0.9 * s)
        case "posterize":
            return ImageOps.posterize(im, 8 - round(4 * m))
        case "contrast":
            return ImageEnhance.Contrast(im).enhance(1 + 0.9 * s)
        case "brightness":
            return ImageEnhance.Brightness(im).enhance(1 + 0.9 * s)
        case "sharpness":
            return ImageEnhance.Sharpness(im).enhance(1 + 0.9 * s)
        case "shearX":
            return affine(im, (1, 0.3 * s, 0, 0, 1, 0))
        case "shearY":
            return affine(im, (1, 0, 0, 0.3 * s, 1, 0))
        case "translateX":
            return affine(im, (1, 0, math.trunc(s * 150 / 331 * W), 0, 1, 0))
        case "translateY":
            return affine(im, (1, 0, 0, 0, 1, math.trunc(s * 150 / 331 * H)))


OPS = ["identity", "autoContrast", "equalize", "rotate", "solarize", "colour", "posterize", "contrast",
       "brightness", "sharpness", "shearX", "shearY", "translateX", "translateY"]
cases = []
for number, op in enumerate(OPS):
    settings = [(7, 1), (22, -1), (30, 1)]
    if op in ("identity", "autoContrast", "equalize"):
        settings = [(9, 1)]
    for magnitude, sign in settings:
        for name, source in (("image", image), ("narrow", narrow)):
            out = operate(source, op, magnitude, sign)
            cases.append({"name": op, "operation": number, "magnitude": magnitude, "negative": sign < 0, "from": name,
                          "pixels": base64.b64encode(out.tobytes()).decode()})
print(json.dumps({
    "pillow": PIL.__version__, "height": H, "width": W,
    "image": base64.b64encode(image.tobytes()).decode(),
    "narrow": base64.b64encode(narrow.tobytes()).decode(),
    "cases": cases,
}, indent=1))
