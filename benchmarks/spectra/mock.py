"""Spectra from images on a mock of SDSS: how near, how honest, how sharp, beside simpler methods."""

import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from benchmarks.results import CHECK_COLUMNS, Check, Result, Target
from benchmarks.settings import Settings, save_figure
from benchmarks.spectra.mocks import MODEL, spectra_survey
from nebulium.data.ids import rows_of_ids
from nebulium.data.rejects import Rejects
from nebulium.data.tables.reading import read_table
from nebulium.generate.latent.noise import unstretched
from nebulium.lines import LINES
from nebulium.lines.model import FREE
from nebulium.metrics.two_sample import classifier_auc
from nebulium.mock.spectra.spectrographs import find_spectrograph
from nebulium.nn.mapping import map_galaxies
from nebulium.sed.filters import load_filters
from nebulium.spectra import SpectrumDraw, SpectrumModel, render
from nebulium.spectra.continuum.basis import ContinuumBasis
from nebulium.spectra.continuum.training import MeasuredSpectra, SpectrumFiles
from nebulium.spectra.derived import WEAKEST_AA, Derived, band_magnitudes, derived_of
from nebulium.spectra.scores.baselines import point_predictions
from nebulium.spectra.scores.evaluate import bpt_scores, distribution_columns
from nebulium.spectra.scores.figures import example_figures
from nebulium.spectra.scores.galaxies import (
    Drawn,
    ScoredGalaxies,
    SpectralGalaxies,
    drawn_spectra,
    scored_galaxies,
)
from nebulium.verbs.evaluation import Scoring
from nebulium.verbs.predict import named_model

# Fixed before the training.
PIXELS, LOW_AA, HIGH_AA, COMPONENTS = 1000, 3600.0, 6900.0, 10
DRAWS, COUNTED = 64, 6
#: Radius in pixels of the aperture of the image's own colours.
APERTURE_PX = 12.0
EDGES = np.exp(np.linspace(np.log(LOW_AA), np.log(HIGH_AA), PIXELS + 1))
WAVES = np.sqrt(EDGES[1:] * EDGES[:-1]).astype(np.float32)
HOLDS = {68: Target(0.65, 0.71), 95: Target(0.93, 0.97)}


@dataclass(frozen=True, eq=False)
class Spectra:
    """Spectra of a part on one grid, in units of the continuum from 5400 to 5600 AA.

    Attributes
    ----------
    total, continuum : ndarray of shape (n, 1000)
    log_ew : ndarray of shape (n, 10)
        By the catalogue.
    measured_log_ew : ndarray of shape (n, 10)
        Above the continuum of the components, as the model learns them.
    coefficients : ndarray of shape (n, component)
        Of the continuum, as the model has them.
    """

    total: Float[np.ndarray, "n wave"]
    continuum: Float[np.ndarray, "n wave"]
    log_ew: Float[np.ndarray, "n 10"]
    measured_log_ew: Float[np.ndarray, "n 10"]
    coefficients: Float[np.ndarray, "n component"]


@dataclass(frozen=True, eq=False)
class Axes:
    """Principal components of the training spectra."""

    mean: np.ndarray
    axes: np.ndarray
    variance: np.ndarray

    @classmethod
    def of(cls, spectra: np.ndarray) -> "Axes":
        """Fit them."""
        mean = spectra.mean(axis=0)
        _, _, axes = np.linalg.svd(spectra - mean, full_matrices=False)
        axes = axes[:COMPONENTS]
        return cls(mean, axes, np.var((spectra - mean) @ axes.T, axis=0))

    def __call__(self, spectra: np.ndarray) -> np.ndarray:
        """Components of spectra."""
        return (spectra - self.mean) @ self.axes.T

    def error(self, predicted: np.ndarray, true: np.ndarray) -> float:
        """Mean squared error over variance, mean of the first six."""
        squares = np.mean((self(predicted) - self(true)) ** 2, axis=0)
        return float(np.mean((squares / self.variance)[:COUNTED]))


def measure(settings: Settings) -> Iterator[Result]:
    """Look at the test galaxies of the packaged model once."""
    with tempfile.TemporaryDirectory() as scratch:
        survey = spectra_survey(settings, scratch)
        model = named_model(settings.spectra_model or MODEL, of=SpectrumModel).model
        scoring = Scoring.of(str(survey), [settings.spectra_model or MODEL], "test", 0, 0)
        files = SpectrumFiles(survey / "spectra")
        galaxies = scored_galaxies(survey, files, model, scoring, Path(scratch) / "images")
        test, train = (
            grid_spectra(survey, files, part.spectra, model) for part in (galaxies.test, galaxies.training)
        )
        axes = {"total": Axes.of(train.total), "continuum": Axes.of(train.continuum)}
        checks, means = [], {}
        for with_redshift in (False, True):
            drawn = drawn_spectra(model, galaxies.test, draws=DRAWS, with_redshift=with_redshift, seed=1)
            found, means[with_redshift] = _checks(model, drawn, test, axes, with_redshift)
            checks += found
            if not with_redshift:
                (figure,) = example_figures(model, galaxies.test, drawn).values()
                save_figure(figure, "spectra/spectra")
        checks += [*_colours(model, galaxies.test, drawn, survey), _speed(model)]
        yield Result(
            "spectra/mock",
            "Spectra from images of a mock of SDSS",
            f"`{MODEL}`, {len(galaxies.test):,} test galaxies, {len(galaxies.training):,} to train. "
            f"At rest from {LOW_AA:.0f} to {HIGH_AA:.0f} AA, {PIXELS:,} pixels even in the logarithm, "
            f"in units of the continuum about 5500 AA; {DRAWS} draws a galaxy. Errors of components are "
            "mean squares over the variance, mean of the first six; errors of spectra medians over "
            "galaxies and wavelengths of the mean of the draws. Equivalent widths are those of the "
            "catalogue, no less than half an Angstrom, but for the classifier: it sees them as measured "
            "above the components of the continuum, as the model learns them, with ten components of spectra "
            "seen through the same pixels.",
            CHECK_COLUMNS,
            [check.row for check in checks],
        )
        yield _baselines(galaxies, model, test, train, axes, means)


def grid_spectra(
    survey: Path, files: SpectrumFiles, measured: MeasuredSpectra, model: SpectrumModel
) -> Spectra:
    """Spectra of some galaxies on the grid, in their order."""
    ids, log_flux = measured.ids, measured.log_flux
    total = np.zeros((len(ids), PIXELS), np.float32)
    for some in files.chunks(Rejects()):
        at = rows_of_ids(some.ids, ids)
        for row, place in enumerate(at):
            if place >= 0:
                rest = some.wave_aa[row].astype(np.float64) / (1.0 + some.redshift[row])
                flux = some.flux_lambda[row] / 10.0 ** log_flux[place]
                total[place] = _rebinned(rest, flux)
    continuum = map_galaxies(lambda own: continuum_at(model.basis, own), measured.coefficients)
    catalogue = read_table(survey / "catalogue.parquet")
    rows = rows_of_ids(ids, catalogue["target_id"])
    ew = np.stack([catalogue[f"ew_{line}"][rows] for line in LINES], axis=1)
    catalogue_ew, measured_ew = (
        np.log10(np.maximum(widths, WEAKEST_AA)).astype(np.float32)
        for widths in (ew, np.nan_to_num(measured.ew_aa))
    )
    return Spectra(total, continuum, catalogue_ew, measured_ew, measured.coefficients)


def continuum_at(basis: ContinuumBasis, coefficients: jax.Array) -> jax.Array:
    """A continuum on the grid."""
    return jnp.interp(jnp.asarray(WAVES), jnp.asarray(basis.wave_rest_aa), basis.continuum(coefficients))


def _rebinned(rest: np.ndarray, flux: np.ndarray) -> np.ndarray:
    """Means of a spectrum over the pixels of the grid."""
    between = 0.5 * (rest[1:] + rest[:-1])
    edges = np.concatenate([[2 * rest[0] - between[0]], between, [2 * rest[-1] - between[-1]]])
    summed = np.concatenate([[0.0], np.cumsum(flux * np.diff(edges))])
    return np.diff(np.interp(EDGES, edges, summed)) / np.diff(EDGES)


def rendered(model: SpectrumModel, draws: SpectrumDraw, *, lines: bool) -> np.ndarray:
    """Draws of galaxies, (n, draw, wave)."""

    def one(*draw: jax.Array) -> jax.Array:
        return render(
            model.basis, SpectrumDraw(*draw), jnp.asarray(WAVES), at_rest=True, normalised=True, lines=lines
        )

    return map_galaxies(jax.vmap(one), *draws, batch=8)


def _checks(
    model: SpectrumModel, drawn: Drawn, true: Spectra, axes: dict[str, Axes], with_redshift: bool
) -> tuple[list[Check], dict[str, np.ndarray]]:
    """All numbers of a model that knows the redshift, or does not."""
    spectra = rendered(model, drawn.draws, lines=True)
    mean = {
        "total": spectra.mean(axis=1),
        "continuum": rendered(model, drawn.draws, lines=False).mean(axis=1),
    }
    way = "with the redshift" if with_redshift else "without the redshift"
    halpha = LINES.index("HALPHA")
    log_ew, derived = drawn.derived.log_ew, drawn.derived.dn4000
    truth = _truth(true)
    median = float(np.median(np.abs(mean["total"] / true.total - 1.0)))
    found = [
        Check(f"components of the spectrum, {way}", axes["total"].error(mean["total"], true.total),
              Target() if with_redshift else Target(most=0.50)),
        Check(f"components of the continuum, {way}",
              axes["continuum"].error(mean["continuum"], true.continuum),
              Target() if with_redshift else Target(most=0.45)),
        Check(f"error of the spectrum / %, {way}", 100 * median, Target(most=0.8 if with_redshift else 1.3)),
        Check(f"scatter of Dn4000, {way}", float(np.std(derived.mean(axis=1) - truth["dn4000"])),
              Target(most=0.055 if with_redshift else 0.085)),
        Check(f"scatter of log EW(Halpha) / dex, {way}",
              float(np.std(log_ew[..., halpha].mean(axis=1) - true.log_ew[:, halpha])), Target(most=0.35)),
    ]  # fmt: skip
    if with_redshift:
        return found, mean
    columns = _shares(spectra, log_ew, true, axes["total"])
    for name, one in columns.items():
        found += [
            Check(f"{share} % hold, {name}", float(np.nanmean(one[f"inside_{share}"])), within)
            for share, within in HOLDS.items()
        ]
    variance = float(np.median(np.var(log_ew[:, 0], axis=0) / np.var(true.log_ew, axis=0)))
    found.append(Check("variance of log EW over draws over that of the truth", variance, Target(0.9, 1.1)))
    classes = bpt_scores(_classes(model, true.coefficients, true), drawn.derived)
    found += [
        Check("BPT class, balanced accuracy", classes["balanced_accuracy"], Target(least=0.67)),
        Check("BPT class, share of the most frequent", classes["majority_share"], Target()),
        Check("drawn told from true spectra, AUC",
              _told_apart(_observed(model, drawn), log_ew[:, 0], true, axes["total"]),
              Target(most=0.60)),
    ]  # fmt: skip
    return found, mean


def _truth(true: Spectra) -> dict[str, np.ndarray]:
    """Dn4000 of the true spectra."""

    def mean(low: float, high: float) -> np.ndarray:
        inside = (low < WAVES) & (high > WAVES)
        return np.average(true.continuum[:, inside] * WAVES[inside] ** 2, axis=1, weights=WAVES[inside])

    return {"dn4000": mean(4000.0, 4100.0) / mean(3850.0, 3950.0)}


def _shares(
    spectra: np.ndarray, log_ew: np.ndarray, true: Spectra, axes: Axes
) -> dict[str, dict[str, np.ndarray]]:
    """Shares that intervals hold, of components, wavelengths and lines, each all together."""
    places = axes(spectra.reshape(-1, PIXELS)).reshape(*spectra.shape[:2], -1)
    own = axes(true.total)
    of_components = {f"pc{k}": (own[:, k], places[..., k]) for k in range(COUNTED)}
    some = range(0, PIXELS, 20)
    of_waves = {f"{WAVES[k]:.0f}": (true.total[:, k], spectra[..., k]) for k in some}
    of_lines = {f"log_ew_{line}": (true.log_ew[:, k], log_ew[..., k]) for k, line in enumerate(LINES)}
    found = {}
    for name, pairs in (("components", of_components), ("wavelengths", of_waves), ("lines", of_lines)):
        columns = distribution_columns(*({key: pair[side] for key, pair in pairs.items()} for side in (0, 1)))
        found[name] = {
            f"inside_{share}": np.concatenate([one[f"inside_{share}"] for one in columns.values()])
            for share in HOLDS
        }
    return found


def _classes(model: SpectrumModel, coefficients: np.ndarray, true: Spectra) -> Derived:
    """Classes by the catalogue's equivalent widths upon the galaxies' own continua."""
    nothing = jnp.zeros(())
    one = lambda own, ew: derived_of(model.basis, SpectrumDraw(own, nothing, nothing, ew))  # noqa: E731
    found: Derived = map_galaxies(one, coefficients, 10.0**true.log_ew)
    return found


def _observed(model: SpectrumModel, drawn: Drawn) -> np.ndarray:
    """The first draw of each galaxy, through the pixels that the true spectra are seen with, (n, wave)."""
    pixels = find_spectrograph("noiseless").pixels().wave_aa
    pixels = pixels[pixels < 1.5 * HIGH_AA]
    first = [np.asarray(values[:, 0]) for values in drawn.draws]

    def one(*draw: jax.Array) -> jax.Array:
        # Beyond the components is beyond the grid.
        return jnp.nan_to_num(render(model.basis, SpectrumDraw(*draw), pixels, normalised=True))

    flux, waves = map_galaxies(one, *first), np.asarray(pixels, np.float64)
    redshift = drawn.draws.redshift[:, 0]
    return np.stack([_rebinned(waves / (1.0 + z), row) for z, row in zip(redshift, flux, strict=True)])


def _told_apart(spectra: np.ndarray, log_ew: np.ndarray, true: Spectra, axes: Axes) -> float:
    """One draw of each galaxy against its own spectrum."""
    # Of tied lines measurements know the sum alone.
    ours, own = (
        np.column_stack([axes(one), widths[:, FREE]])
        for one, widths in ((spectra, log_ew), (true.total, true.measured_log_ew))
    )
    groups = np.arange(len(own))
    return classifier_auc(own, ours, seed=0, groups_a=groups, groups_b=groups).value


def _colours(model: SpectrumModel, galaxies: SpectralGalaxies, drawn: Drawn, survey: Path) -> list[Check]:
    """Colours of drawn spectra less those of the images they were drawn from, and of the catalogue."""
    bands, stretch = model.form.bands, model.form.preparation.stretch
    filters, side = load_filters(*bands), model.form.preparation.side
    through = lambda *draw: band_magnitudes(model.basis, SpectrumDraw(*draw), filters)  # noqa: E731
    magnitudes = map_galaxies(jax.vmap(through), *drawn.draws, batch=8)
    at = np.arange(side) - 0.5 * (side - 1)
    disc = jnp.asarray(np.hypot(at[:, None], at[None, :]) < APERTURE_PX, jnp.float32)
    light = map_galaxies(
        lambda image: jnp.sum(unstretched(image, stretch) * disc[..., None], axis=(0, 1)),
        galaxies.images.images,
    )
    catalogue = read_table(survey / "catalogue.parquet")
    rows = rows_of_ids(galaxies.spectra.ids, catalogue["target_id"])
    found = []
    for place, (blue, red) in enumerate(pairwise(bands)):
        name = " - ".join(band.removeprefix("sdss_")[0] for band in (blue, red))
        ours = np.nanmedian(magnitudes[..., place] - magnitudes[..., place + 1], axis=1)
        bright = np.all(light[:, place : place + 2] > 0, axis=1)
        image = -2.5 * np.log10(np.where(bright, light[:, place] / light[:, place + 1], np.nan))
        clean = catalogue[f"mag_ab_{blue}"][rows] - catalogue[f"mag_ab_{red}"][rows]
        found += [
            Check(f"{name} of draws less that of the image, median / mag", float(np.nanmedian(ours - image)),
                  Target(-0.02, 0.02)),
            Check("the same, less that without noise, scatter / mag", float(np.nanstd(ours - clean)),
                  Target()),
            Check("the image's own less that without noise, scatter / mag",
                  float(np.nanstd(image - clean)), Target()),
        ]  # fmt: skip
    return found


def _speed(model: SpectrumModel) -> Check:
    """Spectra a second, drawn and rendered."""
    image = jnp.zeros((64, model.form.preparation.side, model.form.preparation.side, len(model.form.bands)))
    unknown = jnp.full((64, 64), jnp.nan)

    @jax.jit
    def draw(keys: jax.Array) -> jax.Array:
        drawn = jax.vmap(model.draws)(image, unknown, keys)
        own = lambda one: render(model.basis, one, jnp.asarray(WAVES), at_rest=True)  # noqa: E731
        return jax.vmap(jax.vmap(own))(drawn)

    keys = jax.random.split(jax.random.key(0), 64)
    draw(keys).block_until_ready()
    start = time.perf_counter()
    draw(keys).block_until_ready()
    return Check("drawn spectra a second", 64 * 64 / (time.perf_counter() - start), Target(least=2000))


def _baselines(
    galaxies: ScoredGalaxies,
    model: SpectrumModel,
    test: Spectra,
    train: Spectra,
    axes: dict[str, Axes],
    means: dict[bool, dict[str, np.ndarray]],
) -> Result:
    """Errors of simpler methods in the same components and spectra."""
    seen = [part.seen(model)[0] for part in (galaxies.training, galaxies.test)]
    own = {name: axes[name](getattr(train, name)) for name in axes}
    rows = []
    for with_redshift in (False, True):
        both = (galaxies.training.spectra.redshift, galaxies.test.spectra.redshift) if with_redshift else None
        found = {
            name: point_predictions(*seen, own[name], bands=len(model.form.bands), redshift=both)
            for name in axes
        }
        methods = {
            method: {name: axes[name].mean + found[name][method] @ axes[name].axes for name in axes}
            for method in found["total"]
        } | {MODEL: means[with_redshift]}
        for method, predicted in methods.items():
            errors = [axes[name].error(predicted[name], getattr(test, name)) for name in axes]
            median = 100 * float(np.median(np.abs(predicted["total"] / test.total - 1.0)))
            rows.append([method, "known" if with_redshift else "not known", *errors, median])
    return Result(
        "spectra/baselines",
        "Spectra from images beside simpler methods",
        "The same galaxies and errors. The mean spectrum; extremely randomised trees on colours and "
        "magnitude, and on rings; the spectrum of the training galaxy that looks most alike.",
        ("method", "redshift", "spectrum", "continuum", "error of the spectrum / %"),
        rows,
    )
