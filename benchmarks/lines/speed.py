"""Speed of medians and quantiles against the traditional methods and ten networks of the published shape."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.results import Check, Result, Target
from benchmarks.settings import Settings, galaxies_of, line_model
from benchmarks.timing import median_seconds
from nebulium.data.glossary import FLUX_UNIT
from nebulium.data.rejects import Rejects
from nebulium.data.tables.table import Table
from nebulium.lines.continuum.features import colours, log_luminosity
from nebulium.lines.continuum.line_list import LINES
from nebulium.lines.input import FLUX_COLUMNS
from nebulium.lines.measured_galaxies import MeasuredGalaxies
from nebulium.lines.model import LineModel
from nebulium.lines.predict import line_predictor, predict_table
from nebulium.lines.quantiles import median_ews
from nebulium.lines.scores.baselines import (
    LOCAL_LINEAR,
    NEAREST_NEIGHBOURS,
    PcaLocalLinear,
    PcaNearestNeighbours,
)

GALAXIES = 100_000
# The traditional methods are slow: timed on the first rows, their time is scaled to all.
FEW = 1_000
PUBLISHED_SHAPE = (12, 64, 128, 64, 1)
# The ten networks are given the batch that suits them best.
BATCHES = (256, 1024, 4096, 16384)
QUANTILE_BATCH = 2048
MEDIANS, QUANTILES, TEN_NETWORKS = "medians", "five quantiles", "ten networks"
PREDICT = "predict"
LEVELS = (0.5, 0.16, 0.84, 0.025, 0.975)


class TenNetworks(eqx.Module):
    """Ten networks of the published shape (Khederlarian et al. 2024), untrained: the cost is the same."""

    layers: tuple[eqx.nn.Linear, ...]
    mean: jax.Array
    std: jax.Array

    def __init__(self, model: LineModel):
        self.layers = eqx.filter_vmap(_dense_layers)(jax.random.split(jax.random.key(0), len(LINES)))
        self.mean, self.std = model.feature_mean, model.feature_std

    def __call__(self, continuum_flux: jax.Array, redshift: jax.Array) -> jax.Array:
        """Ten equivalent widths, AA."""
        raw = jnp.append(colours(continuum_flux), log_luminosity(continuum_flux, redshift))
        features = (raw - self.mean) / self.std
        return eqx.filter_vmap(lambda layers: _network(layers, features))(self.layers)


def measure(settings: Settings) -> list[Result]:
    """Times on the same rows, taking turns, as ratios to ours."""
    model = line_model(settings.model)
    training = galaxies_of(settings, "train")
    flux, redshift = _rows(training)
    contestants = {
        MEDIANS: lambda: median_ews(model, flux, redshift),
        QUANTILES: _batched(_quantiles_of(model), flux, redshift, QUANTILE_BATCH),
        PREDICT: _predictor(settings.model, flux, redshift),
        **{
            f"{TEN_NETWORKS}, {batch}": _batched(TenNetworks(model), flux, redshift, batch)
            for batch in BATCHES
        },
        **_traditional(training, flux[:FEW], redshift[:FEW]),
    }
    seconds = median_seconds(contestants, settings.repeats)
    for name in (NEAREST_NEIGHBOURS, LOCAL_LINEAR):
        seconds[name] *= GALAXIES / FEW
    networks = [name for name in contestants if name.startswith(TEN_NETWORKS)]
    seconds[TEN_NETWORKS] = min(seconds.pop(name) for name in networks)
    return [_result(seconds, _disagreement(settings.model, flux[:FEW], redshift[:FEW]))]


def _result(seconds: dict[str, float], disagreement: float) -> Result:
    ours = seconds[MEDIANS]
    targets = {
        QUANTILES: Target(most=5),
        TEN_NETWORKS: Target(least=1),
        NEAREST_NEIGHBOURS: Target(least=400),
        LOCAL_LINEAR: Target(least=1000),
    }
    rows = [[MEDIANS, ours, "1", ""]]
    for name, target in targets.items():
        check = Check(f"{name} over medians", seconds[name] / ours, target)
        rows.append([name, seconds[name], check, str(target)])
    rows.append([PREDICT, seconds[PREDICT], seconds[PREDICT] / ours, ""])
    least = "largest relative difference of the medians from the density's"
    agreement = Check(least, disagreement, Target(most=0.01), ".1e")
    rows.append([agreement.quantity, "", agreement, str(agreement.target)])
    return Result(
        "lines/speed",
        "Speed",
        f"The ten lines of {GALAXIES:,} galaxies in memory, numpy arrays in and out, the same rows for "
        "all; runs take turns and the median counts. The traditional methods, one regressor a line, are "
        f"timed on {FEW:,} rows and scaled. The ten networks have the published shape, 12-64-128-64-1 "
        "with SELU, jitted and mapped together, with the fastest of the batch sizes "
        f"{', '.join(map(str, BATCHES))}. The medians are those that `predict` writes; the last row is "
        "`predict` without its files: rows checked, five quantiles, the flag of the training domain, a "
        "table.",
        ("what", "seconds", "over medians", "target"),
        rows,
    )


def _rows(training: MeasuredGalaxies) -> tuple[np.ndarray, np.ndarray]:
    """As many galaxies as wanted, over and over if the table has fewer."""
    places = np.arange(GALAXIES) % len(training)
    return training.continuum_flux[places], training.redshift[places]


def _predictor(model: str, flux: np.ndarray, redshift: np.ndarray) -> Callable[[], Any]:
    predictor, table = line_predictor(model), _as_table(flux, redshift)
    return lambda: predictor(predictor.usable_rows(table, Rejects())).as_table()


def _as_table(flux: np.ndarray, redshift: np.ndarray) -> Table:
    columns = dict(zip(FLUX_COLUMNS, flux.T, strict=True))
    ids = np.arange(len(redshift))
    return Table({"target_id": ids, "redshift": redshift, **columns}, dict.fromkeys(columns, FLUX_UNIT))


def _quantiles_of(model: LineModel) -> Callable[[jax.Array, jax.Array], jax.Array]:
    """Quantiles of one galaxy, the model a part of the function so that it is no constant when compiled."""
    return jax.tree_util.Partial(
        lambda m, c, z: m.density(c, z).quantile(jnp.array(LEVELS, jnp.float32)), model
    )


def _batched(
    network: Callable[[jax.Array, jax.Array], jax.Array], flux: np.ndarray, redshift: np.ndarray, batch: int
) -> Callable[[], np.ndarray]:
    """Like ours: padded batches of one size, results in one numpy array."""
    compiled = eqx.filter_jit(lambda n, c, z: jax.vmap(n)(c, z))
    padded = np.minimum(np.arange(-(-len(redshift) // batch) * batch), len(redshift) - 1).reshape(-1, batch)

    def run() -> np.ndarray:
        parts = [np.asarray(compiled(network, flux[rows], redshift[rows])) for rows in padded]
        return np.concatenate(parts)[: len(redshift)]

    return run


def _dense_layers(key: jax.Array) -> tuple[eqx.nn.Linear, ...]:
    sizes = zip(PUBLISHED_SHAPE[:-1], PUBLISHED_SHAPE[1:], jax.random.split(key, 4), strict=True)
    return tuple(eqx.nn.Linear(width_in, width_out, key=own) for width_in, width_out, own in sizes)


def _network(layers: tuple[eqx.nn.Linear, ...], features: jax.Array) -> jax.Array:
    hidden = features
    for layer in layers[:-1]:
        hidden = jax.nn.selu(layer(hidden))
    return jnp.sinh(layers[-1](hidden)[0])


def _traditional(
    training: MeasuredGalaxies, flux: np.ndarray, redshift: np.ndarray
) -> dict[str, Callable[[], np.ndarray]]:
    fitted = {
        name: method.fit(training.continuum_flux, training.redshift, training.ew_aa)
        for name, method in ((NEAREST_NEIGHBOURS, PcaNearestNeighbours), (LOCAL_LINEAR, PcaLocalLinear))
    }
    return {name: lambda f=f: f.predict(flux, redshift) for name, f in fitted.items()}


def _disagreement(name: str, flux: np.ndarray, redshift: np.ndarray) -> float:
    """Largest difference between the medians timed, those of `predict` and those of the density."""
    model = line_model(name)
    timed = median_ews(model, flux, redshift)
    written = predict_table(_as_table(flux, redshift), model=name).table
    half = jnp.array([0.5], jnp.float32)
    density = jax.jit(jax.vmap(lambda c, z: model.density(c, z).quantile(half)[0]))(flux, redshift)
    columns = np.stack([written[f"ew_{line}_q50"] for line in LINES], axis=1)
    return float(max(np.abs(timed / density - 1).max(), np.abs(timed / columns - 1).max()))
