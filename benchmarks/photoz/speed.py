"""Images a second of PITA in training and prediction, beside its authors' package in PyTorch."""

import importlib.metadata
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.photoz.torch_pita import cropped, pita_module
from benchmarks.results import Check, Result, Row, Target
from benchmarks.settings import Settings
from benchmarks.timing import median_seconds
from benchmarks.torch_models import rivals
from benchmarks.torch_models.convnext import load_torch
from nebulium.photoz.images.contrastive import KeyQueue
from nebulium.photoz.images.model import PROJECTED, ImageRedshiftModel, RedshiftNetwork
from nebulium.photoz.images.pita import Learner, pita_losses
from nebulium.photoz.images.recipe import DOMAIN_REFERENCES, RedshiftConfig
from nebulium.photoz.predict import predict_arrays
from nebulium.training import ArrayRows, fit, trained_part

BANDS, SIZE, VIEW_SIZE = 4, 64, 48
CONFIG = RedshiftConfig(epochs=1)
STEPS, PREDICTED = 8, 4096
# Prediction of PyTorch is given the batch that suits it best; ours keeps its own.
BATCHES = (16, 64, 256)
# Share of the training galaxies that have a redshift.
LABELLED = 0.5
RIVAL = "pita-z"
VIEWS, TEACHER = "two views", "keys: the teacher's encoder, forwards"
STUDENT, APERTURES = "the encoder, forwards and back", "fluxes in apertures, of noisier images"

Timed: TypeAlias = Callable[[], Any]


def measure(settings: Settings) -> list[Result]:
    """Times taken in turns, in one process."""
    torch = load_torch()
    torch.set_num_threads(rivals.threads())
    # The package asks how many processes share its queue.
    torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
    model, galaxies = _model(), _galaxies(STEPS * CONFIG.batch_size)
    images = _galaxies(PREDICTED)["image"]
    training: dict[str, Timed] = {rivals.OURS: partial(_train, _learner(model), galaxies)}
    prediction: dict[str, Timed] = {rivals.OURS: partial(predict_arrays, model, np.arange(PREDICTED), images)}
    parts = _parts(_learner(model), galaxies)
    for name, layout in rivals.layouts(RIVAL).items():
        module = pita_module(model, CONFIG, layout)
        tensor = rivals.in_torch(images, layout)
        disagreement = _disagreement(model, module, images[:64], tensor[:64])
        for batch in BATCHES:
            prediction[f"{name}, {batch}"] = _torch_predictor(module, tensor, batch)
        training[name] = _torch_trainer(module, galaxies, layout)
        parts |= _torch_parts(module, galaxies, name, layout)
    trained = median_seconds(training, settings.repeats)
    predicted = rivals.fastest_batches(median_seconds(prediction, settings.repeats))
    of_step = median_seconds(parts, settings.repeats)
    torch.distributed.destroy_process_group()
    same = Check("largest difference of the latent vectors", disagreement, Target(most=1e-3))
    rows = rivals.compared(["training"], RIVAL, trained, STEPS * CONFIG.batch_size, 1.0)
    rows += rivals.compared(["prediction"], RIVAL, predicted, PREDICTED, 1.3)
    return [_result(rows, [same]), _result_of_parts(trained, of_step)]


def _model() -> ImageRedshiftModel:
    return ImageRedshiftModel(
        bands=[f"band {band}" for band in range(BANDS)],
        unit="",
        size=SIZE,
        view_size=VIEW_SIZE,
        encoder=CONFIG.encoder,
        head=CONFIG.head,
        most_shift_px=CONFIG.most_shift_px,
        noise=CONFIG.noise,
        stretch={"kind": "asinh", "softening": [1.0] * BANDS},
        domain_references=DOMAIN_REFERENCES,
    )


def _galaxies(count: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    redshift = rng.uniform(0.1, 3.0, count)
    return {
        "image": rng.normal(size=(count, SIZE, SIZE, BANDS)).astype(np.float32),
        "colour": rng.normal(size=(count, BANDS)).astype(np.float32),
        "redshift": np.where(rng.random(count) < LABELLED, redshift, np.nan).astype(np.float32),
        "redshift_err": np.zeros(count, np.float32),
        "is_first": np.ones(count, np.float32),
    }


def _learner(model: ImageRedshiftModel) -> Learner:
    return Learner(model.network, model.standardisation, model.crops, CONFIG.weights, CONFIG.in_half)


def _train(learner: Learner, galaxies: dict[str, np.ndarray]) -> None:
    fit(
        learner,
        pita_losses,
        ArrayRows(galaxies),
        memory=KeyQueue(CONFIG.queue, PROJECTED),
        config=CONFIG.fitting,
        trainable=trained_part(learner, lambda one: one.network),
    )


def _torch_trainer(module: Any, galaxies: dict[str, np.ndarray], layout: Any) -> Timed:
    """An epoch of the authors' training step and optimiser."""
    torch, optimiser = load_torch(), module.configure_optimizers()
    labelled = np.isfinite(galaxies["redshift"])
    tensors = [rivals.in_torch(galaxies["image"], layout)] + [
        torch.from_numpy(values)
        for values in (
            np.where(labelled, galaxies["redshift"], 0.0).astype(np.float32),
            labelled.astype(np.float32),
            galaxies["colour"],
        )
    ]

    def loss_of(step: int, rows: Any) -> Any:
        return module.training_step([values[rows] for values in tensors], step)

    def epoch() -> float:
        module.train()
        return rivals.train_epoch(optimiser, len(labelled), CONFIG.batch_size, loss_of)

    return epoch


def _torch_predictor(module: Any, images: Any, batch: int) -> Timed:
    """Redshifts of the middles of images, by the authors' forward pass."""
    torch = load_torch()

    def predict() -> np.ndarray:
        module.eval()
        with torch.inference_mode():
            return np.concatenate(
                [module(cropped(part, VIEW_SIZE))[1].numpy() for part in images.split(batch)]
            )

    return predict


def _disagreement(model: ImageRedshiftModel, module: Any, images: np.ndarray, tensor: Any) -> float:
    """Largest difference between the latent vectors of the two: they must be of one network."""
    with load_torch().inference_mode():
        theirs = module.encoder_mlp(module.encoder(cropped(tensor, VIEW_SIZE))).numpy()
    ours, _ = jax.vmap(model.seen)(jnp.asarray(images))
    return float(np.abs(ours - theirs).max())


def _parts(learner: Learner, galaxies: dict[str, np.ndarray]) -> dict[str, Timed]:
    """The dear parts of our step, each compiled alone."""
    images, keys = jnp.asarray(galaxies["image"][: CONFIG.batch_size]), jax.random.split(jax.random.key(0))
    views = jax.vmap(learner.crops.middle)(images)

    def compiled(function: Callable[..., Any], *arguments: Any) -> Timed:
        jitted = eqx.filter_jit(function)
        return lambda: jax.block_until_ready(jitted(*arguments))

    def latents(network: RedshiftNetwork, views: jax.Array) -> jax.Array:
        return jax.vmap(lambda view: network.latent(learner.standardisation.image(view)))(views)

    def gradient(network: RedshiftNetwork, views: jax.Array) -> RedshiftNetwork:
        return eqx.filter_grad(lambda one: jnp.sum(latents(one, views)))(network)

    def random_views(images: jax.Array, key: jax.Array) -> jax.Array:
        return jax.vmap(learner.crops.random)(images, jax.random.split(key, len(images)))

    two = lambda images, keys: [random_views(images, key) for key in keys]  # noqa: E731
    return {
        f"{VIEWS}, {rivals.OURS}": compiled(two, images, keys),
        f"{TEACHER}, {rivals.OURS}": compiled(latents, learner.network, views),
        f"{STUDENT}, {rivals.OURS}": compiled(gradient, learner.network, views),
        f"{APERTURES}, {rivals.OURS}": compiled(learner.noisy_apertures, images, keys[0]),
    }


def _torch_parts(module: Any, galaxies: dict[str, np.ndarray], name: str, layout: Any) -> dict[str, Timed]:
    """The same of the authors' step."""
    torch, images = load_torch(), rivals.in_torch(galaxies["image"][: CONFIG.batch_size], layout)
    views = module.transforms(images)

    def latents() -> Any:
        return module.encoder_mlp(module.encoder(views))

    def forwards() -> None:
        with torch.no_grad():
            latents()

    def and_back() -> None:
        module.zero_grad()
        latents().sum().backward()

    return {
        f"{VIEWS}, {name}": lambda: [module.transforms(images) for _ in range(2)],
        f"{TEACHER}, {name}": forwards,
        f"{STUDENT}, {name}": and_back,
    }


def _result(rows: list[Row], further: list[Check]) -> Result:
    return Result(
        "photoz/speed",
        "Speed of PITA",
        f"`pita` beside `pita-z` {importlib.metadata.version('pita-z')}, the package of its authors, around "
        f"the same encoder `{CONFIG.encoder}` of the same weights, with the same batch of "
        f"{CONFIG.batch_size} and queue of {CONFIG.queue:,}; {SIZE}x{SIZE}x{BANDS} images, views of "
        f"{VIEW_SIZE} pixels, float32 on {rivals.threads()} threads of the CPU; runs take turns and the "
        f"median counts. Training is {STEPS} steps with all three losses, each with its own views (ours are "
        "drawn for each galaxy, theirs for a batch) and its own head of redshifts (ours a density that also "
        "sees fluxes in apertures, theirs a number): ours through `fit`, theirs the training step and the "
        "optimiser of the package without the trainer of Lightning, whose cost is left out. Prediction is "
        f"ours with densities and flags by `predict_arrays` of {PREDICTED:,} images, theirs the forward "
        f"pass in the fastest of batches of {', '.join(map(str, BATCHES))}. Ratios are to the faster layout.",
        ("task", "with", "images a second", "over pita-z's"),
        rows,
        further,
    )


def _result_of_parts(trained: dict[str, float], of_step: dict[str, float]) -> Result:
    columns = (rivals.OURS, *rivals.layouts(RIVAL))
    rows = [
        [part, *(1e3 * of_step.get(f"{part}, {name}", np.nan) for name in columns)]
        for part in (VIEWS, TEACHER, STUDENT, APERTURES)
    ]
    rows.append(["the whole step", *(1e3 * trained[name] / STEPS for name in columns)])
    return Result(
        "photoz/speed_parts",
        "Where the time of a step of PITA goes",
        f"Milliseconds for a batch of {CONFIG.batch_size}, each part by itself, so that they need not add up "
        "to the whole; measured in the run of `photoz_speed`.",
        ("part", *columns),
        rows,
    )
