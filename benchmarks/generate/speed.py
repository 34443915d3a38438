"""How long images and likelihoods take, what memory they need, and whether gradients are right."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.generate.mocks import SDSS
from benchmarks.processes import cost_of
from benchmarks.results import CHECK_COLUMNS, Check, Result, Target
from benchmarks.settings import Settings
from nebulium.data.images.mmu import read_images
from nebulium.generate.drawing.sample_file import sample_file, sample_images
from nebulium.generate.model import LatentImageModel
from nebulium.nn.mapping import map_galaxies
from nebulium.verbs.predict import named_model

GALAXIES, PLACES, DRAWS = 1_000, 21, 256
#: Images of the two files that are scored.
SCORED = (4_000, 16_000)
#: What is known of each: scores are of images given properties.
GIVEN = {"log_mstar": 10.3}
#: Galaxies and draws by which gradients are checked.
CHECKED, CHECKED_DRAWS = 16, 32
RATIO, BOUND = "Bayes' rule", f"the bound with {DRAWS} draws"
#: Steps of the differences, in scatters: posteriors are as narrow as 0.04, and sums over levels round more.
STEPS = {RATIO: 0.003, BOUND: 0.01}


def measure(settings: Settings) -> list[Result]:
    """Of the packaged model."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = settings.generate_model or SDSS.model
        model = named_model(folder, of=LatentImageModel).model
        checks = [_drawing(model)]
        files = [Path(scratch) / f"{n}.parquet" for n in SCORED]
        for n, file in zip(SCORED, files, strict=True):
            sample_file(file, model=folder, given=GIVEN, n=n, steps=4, outside=True)
        images = _prepared(model, read_images(files[0]).flux[:GALAXIES])
        checks += _likelihoods(model, images)
        own = _own(model)
        checks += [_gradient(model, name, *own) for name in (RATIO, BOUND)]
        checks.append(_memory(folder, files, Path(scratch)))
    return [
        Result(
            "generate/speed",
            "Time, memory and gradients of a model of images",
            f"A model of images of {'x'.join(map(str, images.shape[1:]))} with {model.basis.size} "
            "components. Times are those of compiled functions. Likelihoods are those of one property on a "
            "grid, the others not known. A gradient is that of log p in a property at the galaxy's own, "
            "against central differences of fourth order with the same noise; the largest difference over "
            "the root mean square of the gradients counts. Memory is the peak of `nebulium generate score` "
            "in a process of its own.",
            CHECK_COLUMNS,
            [check.row for check in checks],
        )
    ]


def _prepared(model: LatentImageModel, flux: np.ndarray) -> np.ndarray:
    """Images as the model sees them."""
    preparation = model.form.preparation
    return preparation.from_disk(preparation.to_disk(list(flux)))


def _own(model: LatentImageModel) -> tuple[np.ndarray, np.ndarray]:
    """Images drawn at properties that training galaxies have, and these."""
    places = np.random.default_rng(0).integers(len(model.condition_domain.reference), size=CHECKED)
    standard = np.asarray(model.condition_domain.reference)[places]
    own = np.asarray(model.condition_mean) + np.asarray(model.condition_scale) * standard
    return _prepared(model, sample_images(model, own.astype(np.float32))), own


def _seconds(function: Callable[[], Any]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def _drawing(model: LatentImageModel) -> Check:
    given = np.full((GALAXIES, len(model.conditions)), np.nan, np.float32)
    sample_images(model, given[:64])
    return Check(
        f"{GALAXIES:,} images drawn / s", _seconds(lambda: sample_images(model, given)), Target(most=10)
    )


def _likelihoods(model: LatentImageModel, images: np.ndarray) -> list[Check]:
    """Of one property on a grid."""
    places = np.linspace(-2.5, 2.5, PLACES, dtype=np.float32)
    grid = np.full((PLACES, len(model.conditions)), np.nan, np.float32)
    grid[:, 0] = model.condition_mean[0] + model.condition_scale[0] * places
    # One a galaxy, so that nothing is computed of it when the function is compiled.
    grids = np.broadcast_to(grid, (GALAXIES, *grid.shape))
    keys = jax.random.split(jax.random.key(0), GALAXIES)
    ways: dict[str, tuple[Callable[..., Any], int]] = {
        RATIO: (lambda image, grid, key: model.log_ratios(image, grid), 64),
        BOUND: (lambda image, grid, key: _bound(model, image, grid, key, DRAWS), 8),
    }
    checks = []
    for name, (one, batch) in ways.items():
        run = lambda n, one=one, batch=batch: map_galaxies(one, images[:n], grids[:n], keys[:n], batch=batch)  # noqa: E731
        run(batch)
        about = f"likelihoods of {GALAXIES:,} galaxies at {PLACES} places, {name} / s"
        checks.append(Check(about, _seconds(lambda run=run: run(GALAXIES)), Target(most=300)))
    return checks


def _bound(model: LatentImageModel, image: Any, grid: Any, key: Any, draws: int) -> Any:
    return jnp.mean(model.bounds(image, grid, key, draws=draws), axis=1)


def _gradient(model: LatentImageModel, name: str, images: np.ndarray, conditions: np.ndarray) -> Check:
    """The gradient by differentiation and by differences, at some galaxies."""
    scale, number, step = model.condition_scale, len(model.conditions), STEPS[name]
    # A fourth-order central difference, and where it is taken.
    weights, places = np.array([1.0, -8.0, 8.0, -1.0], np.float32) / 12, np.array([-2.0, -1.0, 1.0, 2.0])

    def one(image: Any, truth: Any, key: Any) -> tuple[Any, Any]:
        def log_p(standard: Any) -> Any:
            given = (truth + scale * standard)[None, :]
            if name == RATIO:
                return model.log_ratios(image, given)[0]
            return _bound(model, image, given, key, CHECKED_DRAWS)[0]

        steps = step * jnp.asarray(places, jnp.float32)[:, None, None] * jnp.eye(number)[None, :, :]
        around = jax.vmap(jax.vmap(log_p))(steps)
        return jax.grad(log_p)(jnp.zeros(number)), jnp.asarray(weights) @ around / step

    keys = jax.random.split(jax.random.key(1), CHECKED)
    exact, differences = map_galaxies(one, images, conditions, keys, batch=CHECKED)
    off = float(np.max(np.abs(exact - differences)) / np.sqrt(np.mean(exact**2)))
    return Check(f"gradient of log p, {name}, against differences", off, Target(most=1e-3), ".1e")


def _memory(folder: str | Path, files: list[Path], scratch: Path) -> Check:
    """Peak memory of scoring many images over that of few."""
    peaks = [
        cost_of(
            "generate",
            "score",
            str(file),
            "--model",
            str(folder),
            "--output",
            str(scratch / "scores.parquet"),
        ).peak_bytes
        for file in files
    ]
    few, many = (f"{n:,}" for n in SCORED)
    about = f"peak memory of scoring {many} images over that of {few} ({peaks[0] / 1e9:.2g} GB)"
    return Check(about, peaks[1] / peaks[0], Target(most=1.1))
