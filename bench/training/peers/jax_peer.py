"""The ten configurations in Flax (Linen) and Optax, one jitted step with its state donated.

    python jax_peer.py WORK.json
"""

import functools
import sys
import time

import flax
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

import measure

IMPORTED = measure.imported()

gelu = functools.partial(nn.gelu, approximate=False)


class Mixer(nn.Module):
    rate: float

    @nn.compact
    def __call__(self, x, training):
        _, tokens, dim = x.shape
        norm = nn.LayerNorm(epsilon=1e-6)  # one layer, two uses
        drop = nn.Dropout(self.rate, deterministic=not training)
        y = norm(x).swapaxes(1, 2)
        y = drop(nn.Dense(tokens)(gelu(nn.Dense(tokens)(y))))
        x = x + y.swapaxes(1, 2)
        return x + drop(nn.Dense(dim)(gelu(nn.Dense(tokens)(norm(x)))))


class ViT(nn.Module):
    hidden: int

    @nn.compact
    def __call__(self, x, training):
        dim = x.shape[-1]
        y = nn.LayerNorm(epsilon=1e-6)(x)
        x = x + nn.MultiHeadDotProductAttention(
            num_heads=4, qkv_features=4 * 64, out_features=dim, dropout_rate=0.1,
            broadcast_dropout=False, deterministic=not training)(y)
        y = nn.LayerNorm(epsilon=1e-6)(x)
        drop = nn.Dropout(0.1, deterministic=not training)
        y = drop(gelu(nn.Dense(self.hidden)(y)))
        return x + drop(gelu(nn.Dense(dim)(y)))


class ConvMixer(nn.Module):
    @nn.compact
    def __call__(self, x, training):  # [B, rows, columns, C]
        dim = x.shape[-1]
        norm = functools.partial(nn.BatchNorm, use_running_average=not training, momentum=0.99, epsilon=1e-3)
        y = nn.Conv(dim, (5, 5), feature_group_count=dim)(x)
        x = x + norm()(gelu(y))
        return norm()(gelu(nn.Conv(dim, (1, 1))(x)))


class Network(nn.Module):
    work: measure.Work

    @nn.compact
    def __call__(self, images, training):
        work, model = self.work, self.work.model
        x = images.astype(jnp.float32)
        if model.get("normalize", False):
            x = (x - jnp.array(work.mean, jnp.float32)) / jnp.sqrt(jnp.array(work.variance, jnp.float32))
        else:
            x = x / 255
        batch, size, patch, dim = len(x), model["image_size"], model["patch_size"], model["dim"]
        if size != work.height:
            x = jax.image.resize(x, (batch, size, size, 3), "bilinear", antialias=False)
        grid = size // patch
        if model.get("stem") == "conv":
            x = nn.Conv(dim, (patch, patch), strides=patch, padding="VALID")(x)
            x = nn.BatchNorm(use_running_average=not training, momentum=0.99, epsilon=1e-3)(gelu(x))
        else:
            x = x.reshape(batch, grid, patch, grid, patch, 3).swapaxes(2, 3).reshape(batch, grid * grid, -1)
            x = nn.Dense(dim)(x)
        if model.get("position"):
            x = x + self.param("position", nn.initializers.uniform(0.05), (work.tokens, dim))
        for block in model["blocks"]:
            if block["kind"] == "convmixer":
                x = ConvMixer()(x, training)
                continue
            x = x.reshape(batch, work.tokens, dim)
            layer = Mixer(model.get("dropout", 0)) if block["kind"] == "mixer" else ViT(block.get("hidden", 64))
            x = layer(x, training)
        x = x.reshape(batch, work.tokens, dim)
        head = model.get("head", {})
        if head.get("norm"):
            x = nn.LayerNorm(epsilon=1e-6)(x)
        x = x.reshape(batch, -1) if head.get("pool") == "flatten" else x.mean(1)
        drop = nn.Dropout(head.get("dropout", 0), deterministic=not training)
        x = drop(x)
        for width in head.get("hidden") or []:
            x = drop(gelu(nn.Dense(width)(x)))
        return nn.Dense(model["classes"])(x)


def main(path):
    work = measure.Work(path)
    work.started = time.perf_counter()
    network = Network(work)
    key = jax.random.key(work.seed)
    init = jax.jit(functools.partial(network.init, training=False))
    variables = init(key, jnp.zeros((1, work.height, work.width, 3), jnp.uint8))
    optimizer = optax.adamw(work.learning_rate, eps=1e-7, weight_decay=work.scaled_decay)

    def count(tree):
        return sum(x.size for x in jax.tree.leaves(tree))

    # The reference also counts the 7 constants of its normalisation.
    trainable = count(variables["params"])
    work.check(trainable, count(variables) + 7 * work.model.get("normalize", False))

    @functools.partial(jax.jit, donate_argnums=0)
    def train_step(state, images, labels):
        params, statistics, moments, step = state

        def loss(params):
            logits, updates = network.apply(
                {"params": params, **statistics}, images, training=True, mutable=list(statistics),
                rngs={"dropout": jax.random.fold_in(key, step)})
            return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean(), updates

        (value, statistics), gradients = jax.value_and_grad(loss, has_aux=True)(params)
        updates, moments = optimizer.update(gradients, moments, params)
        return (optax.apply_updates(params, updates), statistics, moments, step + 1), value

    params = variables.pop("params")
    state = (params, variables, optimizer.init(params), jnp.uint32(0))

    def step(indices):
        nonlocal state
        state, loss = train_step(state, work.images[indices], work.labels[indices])
        return loss

    trained = measure.train(work, step, float)

    @jax.jit
    def forward(params, statistics, images):
        return network.apply({"params": params, **statistics}, images, training=False)

    def predict(images):
        logits = [forward(state[0], state[1], images[i:i + work.batch]) for i in range(0, len(images), work.batch)]
        return np.concatenate(logits)

    measure.report(work, trained, measure.infer(work, predict), {"import_s": IMPORTED},
                   jax=jax.__version__, flax=flax.__version__, optax=optax.__version__)


if __name__ == "__main__":
    main(*sys.argv[1:])
