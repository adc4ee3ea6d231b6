"""The ten configurations in Keras 3, written from its documentation: what Patchlab must agree with.

    python keras_reference.py FOLDER [ID ...]

writes FOLDER/ID.safetensors for each configuration (all ten by default), with float32 tensors

    images [B, 32, 32, 3], labels [B]   a batch (whole numbers)
    weights/PATH                        random weights under Patchlab's names
    logits [B, 10]                      outside training: BatchNorm uses its moving statistics
    loss, gradients/PATH                in training: BatchNorm uses the batch's statistics
    after/PATH                          weights and statistics after three steps of AdamW

Dropout is left out: its masks cannot be the same. vit-vis has a narrow head, 64-32 for 2048-1024.
The optimiser is TensorFlow Addons' AdamW: each step first subtracts 1e-4 times the variable from
itself, then does Keras's Adam step with the gradients taken before.
"""

import json
import os
import sys

os.environ["KERAS_BACKEND"] = "jax"
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")  # compiling takes longer than running

import jax
import keras
import numpy as np
from keras import layers, ops

BATCH, STEPS, DECAY = 16, 3, 1e-4
PIXEL_MEAN = [125.3, 122.9, 113.8]
PIXEL_VARIANCE = [3970.0, 3880.0, 4470.0]


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

    def __init__(self, tokens, dim, name):
        super().__init__(name=name)
        self.embed = layers.Embedding(tokens, dim, name=name)
        self.places = np.arange(tokens)

    def call(self, x):
        return x + self.embed(self.places)


def dense(path, x, width, activation=None):
    return layers.Dense(width, activation=activation, name=path)(x)


def layer_norm(path):
    return layers.LayerNormalization(epsilon=1e-6, name=path)


def mixer(path, x):
    _, tokens, dim = x.shape
    norm = layer_norm(path + ".norm")  # one layer, two uses
    y = layers.Permute((2, 1))(norm(x))
    y = dense(path + ".token_mlp.dense_0", y, tokens, "gelu")
    y = dense(path + ".token_mlp.dense_1", y, tokens)
    x = layers.Add()([x, layers.Permute((2, 1))(y)])
    y = dense(path + ".channel_mlp.dense_0", norm(x), tokens, "gelu")
    y = dense(path + ".channel_mlp.dense_1", y, dim)
    return layers.Add()([x, y])


def vit(path, x, hidden=64):
    dim = x.shape[-1]
    y = layer_norm(path + ".norm_0")(x)
    y = layers.MultiHeadAttention(num_heads=4, key_dim=64, name=path + ".attention")(y, y)
    x = layers.Add()([y, x])
    y = layer_norm(path + ".norm_1")(x)
    y = dense(path + ".mlp.dense_0", y, hidden, "gelu")
    y = dense(path + ".mlp.dense_1", y, dim, "gelu")
    return layers.Add()([y, x])


def batch_norm(path, x):
    return layers.BatchNormalization(name=path + ".norm")(layers.Activation("gelu")(x))


def convmixer(path, x):
    y = layers.DepthwiseConv2D(5, padding="same", name=path + ".depthwise")(x)
    x = layers.Add()([batch_norm(path + ".depthwise", y), x])
    y = layers.Conv2D(x.shape[-1], 1, name=path + ".pointwise")(x)
    return batch_norm(path + ".pointwise", y)


def patch_network(image, patch, dim, blocks):
    """A stack on a dense patch embedding: the eight configurations that normalise their pixels."""
    inputs = keras.Input((32, 32, 3))
    x = layers.Normalization(name="normalization")(inputs)
    x = layers.Resizing(image, image)(x)
    x = dense("embedding", Patches(patch)(x), dim)
    for i, block in enumerate(blocks):
        x = block(f"block_{i}", x)
    x = layers.GlobalAveragePooling1D()(x)
    return keras.Model(inputs, dense("classifier", x, 10))


def conv_network(blocks):
    """A stack on a convolutional stem, 16 channels, patches of 2, of pixels divided by 255."""
    inputs = keras.Input((32, 32, 3))
    x = layers.Rescaling(1.0 / 255)(inputs)
    x = layers.Conv2D(16, 2, strides=2, name="embedding")(x)
    x = batch_norm("embedding", x)
    for i, block in enumerate(blocks):
        if block is mixer:
            x = layers.Reshape((-1, x.shape[-1]))(x)
        x = block(f"block_{i}", x)
    pool = layers.GlobalAveragePooling1D if len(x.shape) == 3 else layers.GlobalAveragePooling2D
    return keras.Model(inputs, dense("classifier", pool()(x), 10))


def vit_vis():
    inputs = keras.Input((32, 32, 3))
    x = layers.Normalization(name="normalization")(inputs)
    x = layers.Resizing(72, 72)(x)
    x = dense("embedding", Patches(6)(x), 64)
    x = Position(144, 64, name="position")(x)
    x = vit("block_0", x, hidden=128)
    x = layers.Flatten()(layer_norm("head.norm")(x))
    x = dense("head.dense_0", x, 64, "gelu")
    x = dense("head.dense_1", x, 32, "gelu")
    return keras.Model(inputs, dense("classifier", x, 10))


CONFIGURATIONS = {  # id: (how to build it, learning rate)
    "vit-vis": (vit_vis, 0.001),
    "mixer-4": (lambda: patch_network(32, 8, 256, [mixer] * 4), 0.005),
    "mixer-2": (lambda: patch_network(64, 8, 128, [mixer] * 2), 0.005),
    "vit-1": (lambda: patch_network(64, 8, 256, [vit]), 0.001),
    "vit-2": (lambda: patch_network(64, 8, 128, [vit] * 2), 0.001),
    "mixer1-vit1": (lambda: patch_network(64, 8, 128, [mixer, vit]), 0.001),
    "mixer2-vit1": (lambda: patch_network(64, 8, 128, [mixer, mixer, vit]), 0.001),
    "mixer-1": (lambda: patch_network(64, 4, 64, [mixer]), 0.005),
    "convmixer": (lambda: conv_network([convmixer]), 0.001),
    "convmixer-mixer": (lambda: conv_network([convmixer, mixer]), 0.001),
}


def patchlab_name(variable):
    """block_0.attention/attention_output/kernel -> block_0/attention/output/kernel"""
    path = variable.path.replace(".", "/").replace("attention_output", "output")
    return path.replace("position/position/embeddings", "position/embedding")


def randomise(model, random):
    """Gives every weight values that matter: no zero bias, no gain of 1, no statistic at its start."""
    for variable in model.variables:
        shape, name = variable.shape, variable.path.rsplit("/", 1)[-1]
        if variable.path == "normalization/mean":
            value = np.array(PIXEL_MEAN)
        elif variable.path == "normalization/variance":
            value = np.array(PIXEL_VARIANCE)
        elif name == "count":
            value = np.zeros(shape)
        elif name == "gamma":
            value = 1 + 0.2 * random.standard_normal(shape)
        elif name == "moving_variance":
            value = random.uniform(0.3, 1.7, shape)
        elif name in ("bias", "beta", "moving_mean"):
            value = 0.1 * random.standard_normal(shape)
        else:  # kernels and embeddings, by their true fan-in
            fan_in = {"query": shape[0], "key": shape[0], "value": shape[0]}.get(variable.path.split("/")[-2])
            fan_in = fan_in or np.prod(shape[:-1])
            if "depthwise" in variable.path:
                fan_in = shape[0] * shape[1]
            value = random.standard_normal(shape) / np.sqrt(fan_in)
        variable.assign(value.astype(np.float32))
    for layer in model.layers:
        if isinstance(layer, layers.Normalization):
            layer.finalize_state()


def pictures(random):
    """Images with large and small structure, whole numbers 0..255."""
    coarse = random.uniform(30, 225, (BATCH, 4, 4, 3)).repeat(8, axis=1).repeat(8, axis=2)
    return np.clip(coarse + 20 * random.standard_normal((BATCH, 32, 32, 3)), 0, 255).round().astype(np.float32)


def write_safetensors(path, tensors):
    """Length of the header (8 bytes, little endian), the header (JSON), the data."""
    header, blobs, offset = {}, [], 0
    for name, tensor in tensors.items():
        blob = np.ascontiguousarray(tensor, dtype="<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(np.shape(tensor)), "data_offsets": [offset, offset + len(blob)]}
        blobs.append(blob)
        offset += len(blob)
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text + b"".join(blobs))


def reference(name):
    build, rate = CONFIGURATIONS[name]
    random = np.random.default_rng(sorted(CONFIGURATIONS).index(name))
    keras.backend.clear_session()
    model = build()
    randomise(model, random)
    images, labels = pictures(random), random.integers(0, 10, BATCH)
    out = {"images": images, "labels": labels}
    for variable in model.variables:
        out["weights/" + patchlab_name(variable)] = ops.convert_to_numpy(variable)

    def loss(trainable, fixed):
        logits, fixed = model.stateless_call(trainable, fixed, images, training=True)
        entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(labels, logits)
        return entropy, fixed

    infer = jax.jit(lambda trainable, fixed: model.stateless_call(trainable, fixed, images, training=False)[0])
    differentiate = jax.jit(jax.value_and_grad(loss, has_aux=True))

    trainable = [v.value for v in model.trainable_variables]
    fixed = [v.value for v in model.non_trainable_variables]
    out["logits"] = infer(trainable, fixed)

    adam = keras.optimizers.Adam(rate, beta_1=0.9, beta_2=0.999, epsilon=1e-7)
    adam.build(model.trainable_variables)
    state = [v.value for v in adam.variables]

    @jax.jit
    def step(state, gradients, trainable):
        return adam.stateless_apply(state, gradients, [w - DECAY * w for w in trainable])

    for i in range(STEPS):
        (value, fixed), gradients = differentiate(trainable, fixed)
        if i == 0:
            out["loss"] = value
            for variable, gradient in zip(model.trainable_variables, gradients):
                out["gradients/" + patchlab_name(variable)] = gradient
        trainable, state = step(state, gradients, trainable)
    for variables, values in ((model.trainable_variables, trainable), (model.non_trainable_variables, fixed)):
        for variable, value in zip(variables, values):
            out["after/" + patchlab_name(variable)] = value
    return out


def main(folder, *names):
    for name in names or CONFIGURATIONS:
        write_safetensors(os.path.join(folder, name + ".safetensors"), reference(name))


if __name__ == "__main__":
    main(*sys.argv[1:])
