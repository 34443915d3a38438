"""The contrast of `pita`, with its queue of keys, is the same however many devices share a batch."""

import json
import os
import subprocess
import sys

import numpy as np

SCRIPT = """
import json, sys
from pathlib import Path
import jax, numpy as np
from nebulium.data.images.opening import open_images
from nebulium.data.images.labelled import LabelledImages, StoredImages
from nebulium.data.images.preparation import Preparation
from nebulium.data.images.store import ImageStore
from nebulium.data.rejects import Rejects
from nebulium.data.images.stretches import Stretch
from nebulium.photoz.images.recipe import RedshiftConfig, train_on_store
from nebulium.photoz.images.rows import colour_targets, redshift_labels

folder, count, side = Path(sys.argv[1]), 100, 20
rng = np.random.default_rng(0)
flux = rng.lognormal(1.0, 0.5, (count, 2))
pixels = (flux[:, None, None, :] + rng.normal(size=(count, side, side, 2))).astype(np.float32)
np.save(folder / "a.npy", pixels)
store = ImageStore.create(
    folder / "store", open_images(folder / "a.npy"), Preparation(side, Stretch("asinh", (1.0, 1.0))),
    rejects=Rejects(),
)
redshift = np.where(rng.uniform(size=count) < 0.5, flux[:, 1] / 10, np.nan).astype(np.float32)
colour = colour_targets(flux, np.ones((count, 2)))
images = LabelledImages(
    StoredImages(store, np.arange(count)), redshift_labels(colour, redshift, np.zeros(count, np.float32))
)
config = RedshiftConfig(
    epochs=1, labelled_epochs=1, batch_size=20, queue=60, encoder="resnet-tiny", grid_bins=20,
    view_size=16, averaging=0.9,
)
model, results = train_on_store(images, images, config=config)
print(json.dumps({
    "devices": jax.device_count(),
    "losses": [[record.loss, record.validation_loss] for result in results for record in result.history],
    "weights": np.asarray(model.network.projection.layers[0].weight).ravel()[:20].tolist(),
}))
"""


def trained(folder, count):
    folder.mkdir()
    flags = f"--xla_force_host_platform_device_count={count}"
    environment = os.environ | {"XLA_FLAGS": f"{os.environ['XLA_FLAGS']} {flags}", "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-c", SCRIPT, str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_four_devices_learn_what_one_learns(tmp_path):
    one, four = trained(tmp_path / "one", 1), trained(tmp_path / "four", 4)
    assert (one["devices"], four["devices"]) == (1, 4)
    np.testing.assert_allclose(four["losses"], one["losses"], rtol=1e-3)
    np.testing.assert_allclose(four["weights"], one["weights"], atol=1e-3)
