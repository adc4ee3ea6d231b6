"""The ten configurations in Keras 3, on TensorFlow or JAX, trained by fit and used by predict.

    KERAS_BACKEND=tensorflow|jax python keras_peer.py WORK.json

compile(jit_compile="auto"), images as a NumPy array of uint8. Of tf.data and arrays, arrays are the
faster here. Metrics are left out, which Patchlab's own step does compute.
"""

import collections
import sys
import time

import keras
import numpy as np
from keras import layers, ops

import measure

IMPORTED = measure.imported()


class Patches(layers.Layer):
    """[B, S, S, 3] -> [B, patches, size*size*3]."""

    def __init__(self, size, **kwargs):
        super().__init__(**kwargs)
        self.size = size

    def call(self, images):
        cut = ops.image.extract_patches(images, self.size)
        _, rows, columns, width = cut.shape
        return ops.reshape(cut, (-1, rows * columns, width))


class Position(layers.Layer):
    """Adds a learned embedding of each token's place."""

    def __init__(self, tokens, dim):
        super().__init__()
        self.tokens = tokens
        self.embed = layers.Embedding(tokens, dim)

    def call(self, x):
        return x + self.embed(ops.arange(self.tokens))


def mixer(model, x, block):
    _, tokens, dim = x.shape
    norm = layers.LayerNormalization(epsilon=1e-6)  # one layer, two uses
    y = layers.Permute((2, 1))(norm(x))
    y = layers.Dense(tokens, activation="gelu")(y)
    y = layers.Dropout(model.get("dropout", 0))(layers.Dense(tokens)(y))
    x = layers.Add()([x, layers.Permute((2, 1))(y)])
    y = layers.Dense(tokens, activation="gelu")(norm(x))
    y = layers.Dropout(model.get("dropout", 0))(layers.Dense(dim)(y))
    return layers.Add()([x, y])


def vit(model, x, block):
    y = layers.LayerNormalization(epsilon=1e-6)(x)
    y = layers.MultiHeadAttention(num_heads=4, key_dim=64, dropout=0.1)(y, y)
    x = layers.Add()([y, x])
    y = layers.LayerNormalization(epsilon=1e-6)(x)
    for width in (block.get("hidden", 64), x.shape[-1]):
        y = layers.Dropout(0.1)(layers.Dense(width, activation="gelu")(y))
    return layers.Add()([y, x])


def batch_norm(x):
    return layers.BatchNormalization()(layers.Activation("gelu")(x))


def convmixer(model, x, block):
    y = layers.DepthwiseConv2D(5, padding="same")(x)
    x = layers.Add()([batch_norm(y), x])
    return batch_norm(layers.Conv2D(x.shape[-1], 1)(x))


BLOCKS = {"mixer": mixer, "vit": vit, "convmixer": convmixer}


def build(work):
    model = work.model
    inputs = keras.Input((work.height, work.width, 3), dtype="uint8")
    if model.get("normalize", False):
        scale = layers.Normalization()
        scale.build((None, work.height, work.width, 3))
        scale.adapt_mean.assign(np.float32(work.mean))
        scale.adapt_variance.assign(np.float32(work.variance))
        scale.finalize_state()  # as adapt does; it makes what call uses of them
    else:
        scale = layers.Rescaling(1 / 255)
    x = scale(inputs)
    if model["image_size"] != work.height:
        x = layers.Resizing(model["image_size"], model["image_size"])(x)
    if model.get("stem") == "conv":
        x = layers.Conv2D(model["dim"], model["patch_size"], strides=model["patch_size"])(x)
        x = batch_norm(x)
    else:
        x = layers.Dense(model["dim"])(Patches(model["patch_size"])(x))
    if model.get("position"):
        x = Position(work.tokens, model["dim"])(x)
    for block in model["blocks"]:
        if block["kind"] != "convmixer" and len(x.shape) == 4:
            x = layers.Reshape((work.tokens, model["dim"]))(x)
        x = BLOCKS[block["kind"]](model, x, block)
    head = model.get("head", {})
    if head.get("norm"):
        x = layers.LayerNormalization(epsilon=1e-6)(x)
    if head.get("pool") == "flatten":
        x = layers.Flatten()(x)
    else:
        x = (layers.GlobalAveragePooling1D if len(x.shape) == 3 else layers.GlobalAveragePooling2D)()(x)
    rate = head.get("dropout", 0)
    if rate:
        x = layers.Dropout(rate)(x)
    for width in head.get("hidden") or []:
        x = layers.Dropout(rate)(layers.Dense(width, activation="gelu")(x))
    return keras.Model(inputs, layers.Dense(model["classes"])(x))


class Stopwatch(keras.callbacks.Callback):
    """Times the steps of fit as measure.train does."""

    def __init__(self, work):
        super().__init__()
        self.work, self.steps, self.out = work, 0, {}
        self.flying = collections.deque()
        self.most = len(work.labels) // work.batch  # without the last, partial batch

    def on_train_batch_end(self, batch, logs):
        self.steps += 1
        if self.steps == 1:
            self.out["first_loss"] = float(logs["loss"])  # waits for the step
            self.out["first_step_s"] = time.perf_counter() - self.work.started
        elif self.steps == self.work.warmup:
            float(logs["loss"])
            self.began = time.perf_counter()
        elif self.steps > self.work.warmup:
            steps = self.steps - self.work.warmup
            # Of the steps that compute in the background two may be ahead of the clock.
            self.flying.append(logs["loss"])
            if len(self.flying) > 2:
                float(self.flying.popleft())
            over = time.perf_counter() - self.began > self.work.seconds and steps >= self.work.least
            if over or self.steps == self.most:
                self.out["last_loss"] = float(logs["loss"])
                seconds = time.perf_counter() - self.began
                self.out |= {"steps": steps, "train_images_per_s": steps * self.work.batch / seconds}
                self.model.stop_training = True


def main(path):
    keras.utils.set_random_seed(1)
    work = measure.Work(path)
    versions = {"keras": keras.__version__}
    if keras.backend.backend() == "tensorflow":
        import tensorflow
        tensorflow.config.threading.set_intra_op_parallelism_threads(work.threads)
        tensorflow.config.threading.set_inter_op_parallelism_threads(work.threads)
        versions["tensorflow"] = tensorflow.__version__
    else:
        import jax
        versions["jax"] = jax.__version__

    work.started = time.perf_counter()
    model = build(work)
    model.compile(
        optimizer=keras.optimizers.AdamW(work.learning_rate, weight_decay=work.scaled_decay, epsilon=1e-7),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile="auto")
    work.check(sum(int(np.prod(w.shape)) for w in model.trainable_weights), model.count_params())
    watch = Stopwatch(work)
    model.fit(work.images, work.labels, batch_size=work.batch, epochs=1, shuffle=True, verbose=0, callbacks=[watch])

    def predict(images):
        return model.predict(images, batch_size=work.batch, verbose=0)

    measure.report(work, watch.out, measure.infer(work, predict), {"import_s": IMPORTED}, **versions)


if __name__ == "__main__":
    main(*sys.argv[1:])
