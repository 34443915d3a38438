"""From a table of continua and measured lines to a saved model: the settings, the loss, the steps."""

import dataclasses
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from nebulium.data.splits import Split
from nebulium.data.tables.table import Table
from nebulium.lines.calibration import calibrated
from nebulium.lines.card import described
from nebulium.lines.input import EW_COLUMNS, FLUX_COLUMNS, IVAR_COLUMNS
from nebulium.lines.likelihood import MeasuredLines, SelectionKind, galaxy_log_likelihood
from nebulium.lines.measurement import N_LINES, WEAK
from nebulium.lines.model import FREE, LineModel, statistics_of, with_statistics
from nebulium.nn import measure_domain
from nebulium.training import FitConfig, FitResult
from nebulium.training.config import fit_config_of
from nebulium.verbs import TrainedModel, Training, save_trained, training_run

# Fewer galaxies than this in a part of the split cannot set the statistics or tell epochs apart.
LEAST_GALAXIES = 200
# First guesses: lines scatter by e^0.7 around their medians, quoted errors by e^0.4; the stronger line of a
# tied pair is three times the weaker.
FIRST_LOG_SPREAD, FIRST_LOG_SIGMA_SPREAD, FIRST_LOG_RATIO = -0.3, -1.0, 1.1


@dataclass(frozen=True)
class LinesConfig:
    """How a model of emission lines is built and trained.

    Attributes
    ----------
    with_luminosity : bool
        Whether the luminosity is a feature beside the colours.
    selection : {"learned", "censored", "truncated"}
        What a missing line means; see `nebulium.lines.likelihood`.
    width, depth : int
        Of the network shared by all lines.
    copula_rank : int
        Number of factors shared by the lines.
    epochs, batch_size, learning_rate, weight_decay, seed
        As in `nebulium.training.FitConfig`.
    split_seed : str
        Names the split by id into train, validation and test.

    Examples
    --------
    >>> LinesConfig(with_luminosity=False).epochs
    30
    """

    with_luminosity: bool = True
    selection: SelectionKind = "learned"
    width: int = 256
    depth: int = 3
    copula_rank: int = 4
    epochs: int = 30
    batch_size: int = 512
    learning_rate: float = 1.5e-3
    weight_decay: float = 1e-3
    seed: int = 0
    split_seed: str = "nebulium"

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """Keywords of the constructor of `LineModel`."""
        names = ("with_luminosity", "width", "depth", "copula_rank")
        return {name: getattr(self, name) for name in names} | {"selective": self.selection == "learned"}

    @property
    def fitting(self) -> FitConfig:
        """Settings of the training loop."""
        return fit_config_of(self, clip_norm=5.0)


class TrainingGalaxies(eqx.Module):
    """Galaxies with measured lines, as arrays.

    Attributes
    ----------
    continuum_flux : (n, 12) float32
        1e-17 erg/s/cm2/AA.
    redshift : (n,) float32
        Redshifts.
    lines : MeasuredLines of shape (n, 10)
        Measurements.
    """

    continuum_flux: Array
    redshift: Array
    lines: MeasuredLines

    @classmethod
    def from_table(cls, table: Table) -> "TrainingGalaxies":
        """Read them from the columns that the glossary names."""
        stack = lambda names: np.stack([table[name] for name in names], axis=1)  # noqa: E731
        return cls(
            jnp.asarray(stack(FLUX_COLUMNS), jnp.float32),
            jnp.asarray(table["redshift"], jnp.float32),
            MeasuredLines.from_columns(stack(EW_COLUMNS), stack(IVAR_COLUMNS)),
        )

    def __len__(self) -> int:
        return self.redshift.shape[0]


def train(
    table: Table,
    output: str | Path,
    *,
    config: LinesConfig | None = None,
    id_column: str = "target_id",
    resume: bool = False,
    progress: bool = False,
) -> Path:
    """Train a model on a table and save it as a folder.

    Parameters
    ----------
    table : Table
        With an id, ``redshift``, ``continuum_flux_0..11``, ``ew_LINE`` and ``ew_ivar_LINE``. Rows whose
        continuum cannot be used must have been set aside.
    output : str or Path
        Folder of the model; the folder ``<output>.run`` beside it keeps settings, losses and checkpoints.
    config : LinesConfig, optional
        Settings.
    id_column : str
        The id that the split hashes.
    resume : bool
        Take up an interrupted training.
    progress : bool
        Show a progress bar.

    Returns
    -------
    Path
        The folder, which `nebulium.modelfile.load_model` reads.

    Raises
    ------
    TableError
        If a column is missing or too few galaxies are left for the split.
    OutputError
        If the folder cannot be written.

    Examples
    --------
    >>> train(read_table("galaxies.parquet"), "mine")  # doctest: +SKIP
    """
    config = config or LinesConfig()
    split = Split(config.split_seed, id_column=id_column)
    with training_run(output, resume=resume, progress=progress) as run:
        return save_trained(run, train_on_table(table, table[id_column], split, config, run)).model


def train_on_table(
    table: Table, ids: np.ndarray, split: Split, config: LinesConfig, run: Training
) -> TrainedModel:
    """Train a model on the training part of a table, and calibrate it on the validation part."""
    rows = split.rows(ids)
    galaxies = {part: TrainingGalaxies.from_table(table.select(those)) for part, those in rows.items()}
    split.check_enough(rows, train=LEAST_GALAXIES, validation=LEAST_GALAXIES, where=table.name)
    held_out = galaxies["validation"]
    result = fit_galaxies(galaxies["train"], held_out, config=config, run=run)
    model = calibrated(result.model, held_out.continuum_flux, held_out.redshift, held_out.lines)
    return described(model, config, result, split=split.as_dict(rows), table=table)


def fit_galaxies(
    training: TrainingGalaxies,
    validation: TrainingGalaxies,
    *,
    config: LinesConfig,
    run: Training | None = None,
) -> FitResult[LineModel]:
    """Train a model on galaxies in memory."""
    model = new_model(training, config)
    domain_features = jax.vmap(model.features)
    domain = measure_domain(
        domain_features(training.continuum_flux, training.redshift),
        domain_features(validation.continuum_flux, validation.redshift),
        n_reference=model.domain.reference.shape[0],
    )
    model = eqx.tree_at(lambda m: m.domain, model, domain)
    return (run or Training()).fit(
        "network",
        model,
        _loss_of(config.selection),
        training,
        validation=validation,
        config=config.fitting,
        about=dataclasses.asdict(config),
        trainable=_trained(model),
    )


def new_model(training: TrainingGalaxies, config: LinesConfig) -> LineModel:
    """A model before training, its statistics and first guesses read off the training set."""
    model = LineModel(**config.hyperparameters, key=jax.random.key(config.seed))
    model = with_statistics(model, training.continuum_flux, training.redshift)
    lines = training.lines
    log_ew = _column_medians(jnp.log(lines.ew_aa), lines.present)
    log_sigma = _column_medians(jnp.log(lines.sigma_aa), lines.present)
    centres = jnp.zeros((FREE.size, 4)).at[:, 0].set(log_ew[FREE]).at[:, 1].set(FIRST_LOG_SPREAD)
    ratios = jnp.full(WEAK.size, FIRST_LOG_RATIO, jnp.float32)
    noise = jnp.zeros((N_LINES, 5)).at[:, 0].set(log_sigma).at[:, 1].set(FIRST_LOG_SIGMA_SPREAD)
    biases = lambda m: (m.marginals.bias, m.measurement.noise.layers[-1].bias)  # noqa: E731
    return eqx.tree_at(biases, model, (jnp.append(centres, ratios), noise.reshape(-1)))


@cache  # jit compiles again for another function, however alike
def _loss_of(selection: SelectionKind) -> Any:
    def loss(model: LineModel, galaxies: TrainingGalaxies, key: Array) -> Array:
        likelihood = lambda c, z, lines: galaxy_log_likelihood(model, c, z, lines, selection)  # noqa: E731
        return -jax.vmap(likelihood)(galaxies.continuum_flux, galaxies.redshift, galaxies.lines)

    return loss


def _trained(model: LineModel) -> PyTree:
    """All floating-point leaves but those that are measured on the training set."""
    mask = jax.tree.map(eqx.is_inexact_array, model)
    measured = lambda m: (  # noqa: E731
        *statistics_of(m),
        m.domain.reference,
        m.domain.most_distance,
        m.measured_levels,
    )
    return eqx.tree_at(measured, mask, (False,) * len(measured(mask)))


def _column_medians(values: Array, present: Array) -> Array:
    medians = jnp.nanmedian(jnp.where(present, values, jnp.nan), axis=0)
    return jnp.where(jnp.isfinite(medians), medians, 0.0)
