"""What spectra are learned from: images or colours alone, few spectra or many, noisy ones or clean."""

import dataclasses
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from benchmarks.results import Result, number
from benchmarks.settings import Settings
from benchmarks.spectra.mock import COUNTED, DRAWS, WAVES, Axes, continuum_at
from benchmarks.spectra.mocks import CONFIG, GALAXIES, MODEL, SEED, spectra_survey
from nebulium.data.ids import rows_of_ids
from nebulium.data.rejects import Rejects
from nebulium.data.tables.reading import read_table
from nebulium.metrics import Estimate
from nebulium.mock.survey.making import make_survey
from nebulium.nn.chained_density import ChainedDensity
from nebulium.nn.mapping import map_galaxies
from nebulium.spectra import SpectrumModel
from nebulium.spectra.continuum.basis import ContinuumBasis
from nebulium.spectra.continuum.training import MeasuredSpectra, SpectrumFiles, basis_of, measured_spectra
from nebulium.spectra.recipe import raw_values, trained_networks
from nebulium.spectra.scores.baselines import colours_and_magnitude
from nebulium.spectra.scores.galaxies import ScoredGalaxies, scored_galaxies
from nebulium.verbs import Training
from nebulium.verbs.evaluation import Scoring
from nebulium.verbs.predict import named_model

#: Galaxies whose spectra are seen through the fibre and with the noise of SDSS.
NOISY = 6000
#: Every tenth galaxy says when to stop.
VALIDATION = 10
IMAGES, COLOURS = "images, all spectra", "colours and magnitude, all spectra"
#: Standardised features of images, logarithms of their light, and their spectra.
Seen = tuple[np.ndarray, np.ndarray, MeasuredSpectra]


@dataclass(frozen=True, eq=False)
class Lesson:
    """Galaxies that are learned from.

    Attributes
    ----------
    features, light : ndarray of shape (n, feature), (n,)
        Standardised, and logarithms.
    spectra : MeasuredSpectra
    basis : ContinuumBasis
    """

    features: np.ndarray
    light: np.ndarray
    spectra: MeasuredSpectra
    basis: ContinuumBasis


@dataclass(frozen=True, eq=False)
class Outcome:
    """What was learned, at the test galaxies.

    Attributes
    ----------
    galaxies : int
        That it was learned from.
    squares : ndarray of shape (n, 6)
        Squared errors of the components over their variances.
    inside : ndarray of shape (n, 6)
        Whether the central 68 % hold them.
    log_density : ndarray of shape (n,)
        Of all values, in nats.
    """

    galaxies: int
    squares: np.ndarray
    inside: np.ndarray
    log_density: np.ndarray


def measure(settings: Settings) -> Iterator[Result]:
    """Train networks on each set and look at the test galaxies of all."""
    with tempfile.TemporaryDirectory() as scratch:
        survey = spectra_survey(settings, scratch)
        model = named_model(MODEL, of=SpectrumModel).model
        scoring = Scoring.of(str(survey), [MODEL], "test", 0, 0)
        files = SpectrumFiles(survey / "spectra")
        galaxies = scored_galaxies(survey, files, model, scoring, Path(scratch) / "images")
        test = *galaxies.test.seen(model), galaxies.test.spectra
        own = lambda coefficients: continuum_at(model.basis, coefficients)  # noqa: E731
        true, known = (
            map_galaxies(own, part.spectra.coefficients) for part in (galaxies.test, galaxies.training)
        )
        score = partial(_outcome, model, axes=Axes.of(known), true=true)
        outcomes = {
            name: score(lesson, test) for name, lesson in _lessons(model, galaxies, survey, Path(scratch))
        }
        bands, whole = len(model.form.bands), _whole(model, galaxies)
        alone = dataclasses.replace(whole, features=_colours_alone(whole.features, bands))
        outcomes[COLOURS] = score(alone, (_colours_alone(test[0], bands), *test[1:]))
    gain = _estimate(outcomes[IMAGES].log_density - outcomes[COLOURS].log_density)
    yield Result(
        "spectra/learning",
        "What spectra from images are learned from",
        f"Networks as those of `{MODEL}`, but one and not two, trained on parts of its training spectra and "
        f"scored once on its {len(true):,} test galaxies: squared errors of the first six components of "
        "the continuum over their variances, of the mean of the draws, and the share of galaxies that the "
        "central 68 % of the draws hold (66 % if right, as 64 draws divide them). Errors are those of the "
        "mean over galaxies. Continua are "
        f"decomposed anew for each set. The noisy spectra are those of the first {NOISY:,} galaxies through "
        "the fibre, the resolution and the noise of SDSS. "
        f"Images add {number(gain.value, gain.error)} nats a galaxy to colours and magnitude.",
        ("learned from", "galaxies", "error of the continuum", "68 % hold"),
        [
            [name, outcome.galaxies, _estimate(outcome.squares), _estimate(outcome.inside)]
            for name, outcome in outcomes.items()
        ],
    )


def _lessons(
    model: SpectrumModel, galaxies: ScoredGalaxies, survey: Path, scratch: Path
) -> Iterator[tuple[str, Lesson]]:
    """All training galaxies, parts of them, and noisy ones beside the same without noise."""
    whole = _whole(model, galaxies)
    shards, ids = sorted((survey / "spectra").iterdir()), whole.spectra.ids
    yield IMAGES, whole
    for name, share in (("10 %", 0.1), ("1 %", 0.01)):
        # Shards and galaxies are in the same order.
        some, first = ids[: round(share * len(ids))], 1 + round(share * len(shards))
        yield f"images, {name} of the spectra", _lesson(whole, shards[:first], some)
    make_survey(
        "sdss", scratch / "noisy", n=NOISY, seed=SEED, shards=6, processes=2, spectra="sdss", neighbours=0
    )
    seen = read_table(scratch / "noisy/catalogue.parquet")["target_id"]
    seen = ids[rows_of_ids(ids, seen) >= 0]
    first = 1 + round(len(shards) * NOISY / GALAXIES)
    yield "images, clean spectra of some", _lesson(whole, shards[:first], seen)
    yield "images, noisy spectra of the same", _lesson(whole, [scratch / "noisy/spectra"], seen)


def _whole(model: SpectrumModel, galaxies: ScoredGalaxies) -> Lesson:
    return Lesson(*galaxies.training.seen(model), galaxies.training.spectra, model.basis)


def _lesson(whole: Lesson, files: Sequence[Path], ids: np.ndarray) -> Lesson:
    """Some of the galaxies, with the components of their own spectra."""
    spectra_files = SpectrumFiles([str(file) for file in files])
    basis = basis_of(spectra_files, CONFIG.components, wanted=lambda found: rows_of_ids(found, ids) >= 0)
    spectra = measured_spectra(spectra_files, basis, among=ids, rejects=Rejects())
    rows = rows_of_ids(spectra.ids, whole.spectra.ids)
    return Lesson(whole.features[rows], whole.light[rows], spectra, basis)


def _colours_alone(features: np.ndarray, bands: int) -> np.ndarray:
    """Colours and magnitude in the place of the first features, nothing in that of the others."""
    three = colours_and_magnitude(features, bands)
    return np.pad(three, ((0, 0), (0, features.shape[1] - three.shape[1]))).astype(np.float32)


def _outcome(model: SpectrumModel, lesson: Lesson, test: Seen, axes: Axes, true: np.ndarray) -> Outcome:
    """Train a network, and score what it draws."""
    features, light, spectra = test
    raw = raw_values(vars(lesson.spectra), lesson.light)
    mean, scatter = raw.mean(axis=0), raw.std(axis=0)
    data = {"feature": lesson.features, "value": np.clip((raw - mean) / scatter, -8.0, 8.0)}
    late = np.arange(len(raw)) % VALIDATION == 0
    parts = [{name: values[rows] for name, values in data.items()} for rows in (~late, late)]
    sizes = {name: getattr(CONFIG, name) for name in ("width", "depth", "hidden", "mixture", "dropout")}
    network = ChainedDensity(features.shape[1], raw.shape[1], **sizes, key=jax.random.key(0))
    data = dict(zip(("train", "validation"), parts, strict=True))
    (result,) = trained_networks(Training(), [network], data, CONFIG)
    network = result.model.network
    taught = (network,), lesson.basis, jnp.asarray(mean), jnp.asarray(scatter)
    model = eqx.tree_at(lambda m: (m.networks, m.basis, m.value_mean, m.value_scale), model, taught)
    density = map_galaxies(
        lambda *one: jnp.sum(network.log_density(network.seen(one[0]), one[1])),
        features,
        (raw_values(vars(spectra), light) - mean) / scatter,
    )
    continua = _continua(model, features, light)
    squares = (axes(continua.mean(axis=1)) - axes(true)) ** 2 / axes.variance
    places = axes(continua.reshape(-1, len(WAVES))).reshape(len(true), DRAWS, -1)
    below = np.mean(places < axes(true)[:, None, :], axis=1)
    inside = np.abs(below - 0.5) < 0.34
    return Outcome(len(raw), squares[:, :COUNTED], inside[:, :COUNTED], density)


def _continua(model: SpectrumModel, features: np.ndarray, light: np.ndarray) -> np.ndarray:
    """Drawn continua of galaxies whose redshifts are not known, (n, draw, wave)."""
    unknown = jnp.full((), jnp.nan)

    def one(seen: Array, light: Array, key: Array) -> Array:
        keys = jax.random.split(key, DRAWS)
        drawn = jax.vmap(lambda key: model.draw(seen, light, unknown, key))(keys)
        return jax.vmap(lambda own: continuum_at(model.basis, own))(drawn.coefficients)

    return map_galaxies(one, features, light, jax.random.split(jax.random.key(1), len(light)), batch=16)


def _estimate(values: np.ndarray) -> Estimate:
    """The mean over galaxies, and its error."""
    each = values.reshape(len(values), -1).mean(axis=1)
    return Estimate(float(each.mean()), float(each.std() / np.sqrt(len(each))))
