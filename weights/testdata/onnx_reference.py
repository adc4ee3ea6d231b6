"""What ONNX Runtime computes, for weights/onnx_test.go to compare with.

    onnx_reference.py FOLDER

FOLDER holds NAME.onnx and images.bin, bytes of BATCH x HEIGHT x WIDTH x 3, whose
sizes are in images.txt. Each model is checked against ONNX's own rules, shapes
inferred, and run; its logits go to NAME.bin, float32.
"""

import pathlib
import sys

import numpy as np
import onnx
import onnxruntime

folder = pathlib.Path(sys.argv[1])
sizes = [int(n) for n in (folder / "images.txt").read_text().split()]
images = np.frombuffer((folder / "images.bin").read_bytes(), np.uint8).reshape(sizes)
for path in sorted(folder.glob("*.onnx")):
    onnx.checker.check_model(str(path), full_check=True)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    channels = session.get_inputs()[0].shape[-1]
    (logits,) = session.run(["logits"], {"images": np.ascontiguousarray(images[..., :channels])})
    assert list(logits.shape) == [len(images), session.get_outputs()[0].shape[-1]], logits.shape
    meta = session.get_modelmeta().custom_metadata_map
    assert len(meta["classes"].split("\n")) == logits.shape[1], meta
    path.with_suffix(".bin").write_bytes(logits.astype("<f4").tobytes())
