"""What the three peers share: the work to do, the clocks, and the line of JSON that each prints.

A peer is called as `python PEER.py WORK.json`, where WORK.json is what the driver wrote: one
configuration, its recipe, where the images lie, and how long to measure. The clocks are the same for
all tools:

    import_s         from the start of the process until its libraries are imported
    first_step_s     from there (images read, nothing built yet) until the loss of the first training
                     step is known: building, initial weights, compiling, one step
    train_images_per_s   steps after the warm-up, until the seconds are over or the epoch is; the epoch's
                     shuffle counts with the share of it that was used, the gathering of each batch
                     and its way to the device count wholly
    infer_images_per_s   uint8 images in memory to logits in memory, after a warm-up
    peak_rss         the largest resident set of the process, in bytes (its VmHWM)
"""

import collections
import json
import os
import sys
import time

import numpy as np


class Work:
    """One configuration to measure, with its images in memory."""

    def __init__(self, path):
        with open(path) as file:
            fields = json.load(file)
        self.__dict__.update(fields)
        size, channels = fields["height"], fields["model"]["channels"]
        shape = (-1, size, fields["width"], channels)
        pixels = fields["train_count"] * size * fields["width"] * channels
        self.images = np.fromfile(fields["train_images"], np.uint8, pixels).reshape(shape)
        self.labels = np.fromfile(fields["train_labels"], np.uint8, fields["train_count"]).astype(np.int32)
        self.test = np.fromfile(fields["test_images"], np.uint8).reshape(shape)
        self.tokens = (self.model["image_size"] // self.model["patch_size"]) ** 2
        # The reference's decay is not multiplied by the learning rate; AdamW's today is.
        self.scaled_decay = self.weight_decay / self.learning_rate

    def check(self, trainable, total):
        """Ends the program unless the counts of parameters are the reference's."""
        if (trainable, total) != (self.trainable, self.params):
            sys.exit("%s has %d parameters, %d of them trainable; the reference has %d and %d"
                     % (self.config, total, trainable, self.params, self.trainable))


def imported():
    """Seconds from the start of the process until now."""
    return time.time() - float(os.environ["PATCHLAB_BENCH_STARTED"])


def train(work, step, wait):
    """Times training. step(indices) trains on those images and returns the loss, perhaps before it is
    computed; wait(loss) waits and returns it as a number."""
    began = time.perf_counter()
    order = np.random.default_rng(work.seed).permutation(len(work.labels))
    shuffle = (time.perf_counter() - began) / len(order)  # an image
    batches = iter(order[i:i + work.batch] for i in range(0, len(order) - work.batch + 1, work.batch))

    first = wait(step(next(batches)))
    out = {"first_step_s": time.perf_counter() - work.started, "first_loss": first}
    for _ in range(work.warmup - 1):
        loss = step(next(batches))
    wait(loss)
    steps, flying, began = 0, collections.deque(), time.perf_counter()
    for indices in batches:
        loss = step(indices)
        steps += 1
        # Of the steps that compute in the background two may be ahead of the clock.
        flying.append(loss)
        if len(flying) > 2:
            wait(flying.popleft())
        if time.perf_counter() - began > work.seconds and steps >= work.least:
            break
    out["last_loss"] = wait(loss)
    seconds = time.perf_counter() - began
    images = steps * work.batch
    return out | {"steps": steps, "train_images_per_s": images / (seconds + shuffle * images)}


def infer(work, predict):
    """Times inference. predict(images) returns the logits of a whole number of batches, in memory."""
    predict(work.test[:work.batch])
    began = time.perf_counter()
    predict(work.test[:4 * work.batch])
    rate = 4 * work.batch / (time.perf_counter() - began)
    most = len(work.test) // work.batch
    count = work.batch * min(most, max(4, int(rate * work.seconds / 2 / work.batch)))
    passes, began = 0, time.perf_counter()
    while passes == 0 or time.perf_counter() - began < work.seconds / 2:
        logits = predict(work.test[:count])
        passes += 1
    seconds = time.perf_counter() - began
    if logits.shape != (count, work.model["classes"]) or not np.isfinite(logits).all():
        sys.exit("%s: logits %s of %d images, or some of them not finite" % (work.config, logits.shape, count))
    return {"infer_images_per_s": passes * count / seconds}


def peak_rss():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))


def report(work, *parts, **versions):
    out = {"config": work.config, "tool": work.tool, "peak_rss": peak_rss()}
    for part in parts:
        out |= part
    for key in ("first_loss", "last_loss"):
        if not np.isfinite(out[key]):
            sys.exit("%s: %s is %r" % (work.config, key, out[key]))
    out["versions"] = " ".join("%s %s" % item for item in versions.items())
    print(json.dumps(out))
