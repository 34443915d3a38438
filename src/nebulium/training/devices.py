"""Several devices: each works on its part of every batch, and all hold the weights."""

import equinox as eqx
import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import PyTree

BATCH = "batch"


def batch_mesh(batch_size: int) -> Mesh | None:
    """The devices that share a batch."""
    devices = jax.local_devices()
    if len(devices) == 1 or batch_size % len(devices):
        return None
    return Mesh(np.array(devices), (BATCH,))


def replicated(tree: PyTree, mesh: Mesh | None) -> PyTree:
    """The same arrays on every device, inside a compiled function or outside."""
    return tree if mesh is None else eqx.filter_shard(tree, NamedSharding(mesh, PartitionSpec()))


def split_batch(batch: PyTree, mesh: Mesh | None) -> PyTree:
    """A batch, its first axis shared out over the devices; for use inside a compiled function."""
    return batch if mesh is None else eqx.filter_shard(batch, NamedSharding(mesh, PartitionSpec(BATCH)))


def on_one_device(tree: PyTree, mesh: Mesh | None) -> PyTree:
    """Arrays where any other array is: on the default device."""
    # Through numpy: device_put would tie the arrays to that device for good.
    return tree if mesh is None else jax.tree.map(lambda array: jax.numpy.asarray(np.asarray(array)), tree)
