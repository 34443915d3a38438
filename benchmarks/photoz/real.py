"""Redshifts of real galaxies in GOODS-S and zCOSMOS, by models that saw none of those scored."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float

from benchmarks.photoz.catalogues import TO_KS, Catalogue, goods_s, zcosmos
from benchmarks.results import Check, Result, Target
from benchmarks.settings import Settings
from nebulium.data.splits import Split
from nebulium.metrics.point import bias_median, nmad, outlier_fraction
from nebulium.metrics.probabilistic import Estimate, bootstrap
from nebulium.photometry.galaxies import PhotometricGalaxies
from nebulium.photoz.combined import CombinedModel, combine
from nebulium.photoz.fluxes.model import PhotometryModel
from nebulium.photoz.fluxes.recipe import PhotometryConfig, hyperparameters, train_photometry
from nebulium.photoz.predict import predict_galaxies
from nebulium.photoz.templates.adjustment import Adjustment, TemplateSettings, fitted_templates
from nebulium.photoz.templates.model import TemplateModel
from nebulium.sed.filters import load_filters

FOLDS = 5
#: Of the galaxies that a model is made from, those that validate it.
VALIDATION = 0.1
MEASURES: dict[str, Callable[..., float]] = {
    "NMAD": nmad, "outliers": outlier_fraction, "bias": bias_median
}  # fmt: skip
SHARES = {"in 68 %": 0.68, "in 95 %": 0.95}
#: What is asked of methods, by catalogue.
TEMPLATE, PHOTOMETRY, COMBINED = "template", "photometry", "combined"
TARGETS = {
    ("GOODS-S, U to Ks", TEMPLATE): {
        "NMAD": Target(most=0.035), "outliers": Target(most=0.045),
        "in 68 %": Target(least=0.60, most=0.76), "in 95 %": Target(least=0.90),
    },
    ("zCOSMOS", TEMPLATE): {
        "NMAD": Target(most=0.025), "outliers": Target(most=0.03), "in 68 %": Target(least=0.60, most=0.76)
    },
    ("GOODS-S, U to IRAC", PHOTOMETRY): (of_goods := {
        "NMAD": Target(most=0.021), "outliers": Target(most=0.045), "in 68 %": Target(least=0.63, most=0.73)
    }),
    ("GOODS-S, U to IRAC", COMBINED): of_goods,
    ("zCOSMOS", PHOTOMETRY): (of_cosmos := {
        "NMAD": Target(most=0.0125), "outliers": Target(most=0.016),
        "in 68 %": Target(least=0.65, most=0.71), "in 95 %": Target(least=0.92, most=0.98),
    }),
    ("zCOSMOS", COMBINED): of_cosmos,
}  # fmt: skip


@dataclass(frozen=True)
class Parts:
    """Galaxies to make a model from, to validate it with, and to score."""

    training: PhotometricGalaxies
    validation: PhotometricGalaxies
    test: PhotometricGalaxies


@dataclass(frozen=True)
class Predicted:
    """Redshifts that are known, medians of the densities, and what these put below the known."""

    true: Float[np.ndarray, " n"]
    median: Float[np.ndarray, " n"]
    below: Float[np.ndarray, " n"]


def measure(settings: Settings) -> Iterator[Result]:
    """Templates alone in the bands that they reach, then networks, templates and both."""
    of_fields = f"Each galaxy by models of the other four of {FOLDS} parts; redshifts of any quality"
    optical, whole, cosmos = goods_s(TO_KS), goods_s(), zcosmos()
    found = {**_in_folds(optical, _by_templates), "template, no redshifts": _as_it_comes(optical)}
    yield _result("GOODS-S, U to Ks", f"{len(optical.galaxies):,} galaxies, eleven bands. {of_fields}", found)
    parts, of_nine = split(cosmos.galaxies), split(zcosmos("g").galaxies)
    found = {
        **_by_networks(cosmos, parts, PHOTOMETRY + ", without g"),
        PHOTOMETRY: _predicted(networks(of_nine), of_nine.test),
        "template, no redshifts": _as_it_comes(replace(cosmos, galaxies=parts.test)),
    }
    about = f"{len(parts.test):,} galaxies with secure redshifts of the test part, eight bands u to Ks"
    yield _result("zCOSMOS", f"{about}; `photometry` also sees g, whose filter is not at hand", found)
    found = _in_folds(whole, _by_networks)
    yield _result("GOODS-S, U to IRAC", f"{len(whole.galaxies):,} galaxies, 13 bands. {of_fields}", found)


def split(galaxies: PhotometricGalaxies) -> Parts:
    """The parts that the library makes of these galaxies by their ids."""
    rows = Split().rows(galaxies.ids)
    return Parts(*(galaxies.select(rows[part]) for part in ("train", "validation", "test")))


def folds(galaxies: PhotometricGalaxies) -> list[Parts]:
    """Each fifth of the galaxies once as those scored."""
    rng = np.random.default_rng(0)
    fold, validates = rng.permutation(len(galaxies)) % FOLDS, rng.random(len(galaxies)) < VALIDATION
    chosen = [((fold != one) & ~validates, (fold != one) & validates, fold == one) for one in range(FOLDS)]
    return [Parts(*(galaxies.select(rows) for rows in three)) for three in chosen]


def _in_folds(
    catalogue: Catalogue, method: Callable[[Catalogue, Parts], dict[str, Predicted]]
) -> dict[str, Predicted]:
    """Each galaxy by models of the other parts."""
    return joined([method(catalogue, parts) for parts in folds(catalogue.galaxies)])


def joined(found: Sequence[dict[str, Predicted]]) -> dict[str, Predicted]:
    """What several models of each method say of different galaxies, one after the other."""
    return {
        name: Predicted(
            *(np.concatenate([getattr(one[name], field) for one in found]) for field in vars(found[0][name]))
        )
        for name in found[0]
    }


def _by_templates(catalogue: Catalogue, parts: Parts) -> dict[str, Predicted]:
    return {TEMPLATE: _predicted(templates(catalogue, parts.training, fit=True)[0], parts.test)}


def _by_networks(catalogue: Catalogue, parts: Parts, networks_are: str = PHOTOMETRY) -> dict[str, Predicted]:
    fitted = networks(parts), templates(catalogue, parts.training, fit=True)[0]
    models = {networks_are: fitted[0], TEMPLATE: fitted[1], COMBINED: both(*fitted, parts)}
    return {name: _predicted(model, parts.test) for name, model in models.items()}


def both(photometry: PhotometryModel, template: TemplateModel, parts: Parts) -> CombinedModel:
    """Networks and templates, weighed on the validation galaxies."""
    shape = {
        "photometry": hyperparameters(parts.training, PhotometryConfig()),
        "template": template.hyperparameters,
    }  # fmt: skip
    return combine(photometry, template, parts.validation, shape)


def networks(parts: Parts) -> PhotometryModel:
    """Networks as they come, trained."""
    return train_photometry(parts.training, parts.validation, config=PhotometryConfig())[0]


def templates(
    catalogue: Catalogue, training: PhotometricGalaxies, *, fit: bool
) -> tuple[TemplateModel, Adjustment]:
    """Templates for the bands of a catalogue, their zero points and errors fitted or not."""
    filters = load_filters(*catalogue.filters)
    bands = catalogue.galaxies.bands
    given = {"zero_points": fit, "band_errors": fit, "unlabelled": None if fit else catalogue.galaxies}
    model, change = fitted_templates(bands, filters, TemplateSettings(), training, **given)
    return model, change


def _as_it_comes(catalogue: Catalogue) -> Predicted:
    nobody = catalogue.galaxies.select(slice(0, 0))
    return _predicted(templates(catalogue, nobody, fit=False)[0], catalogue.galaxies)


def _predicted(model: Any, test: PhotometricGalaxies) -> Predicted:
    densities, true = predict_galaxies(model, test).densities, test.redshift.astype(np.float64)
    return Predicted(true, densities.median(), densities.cdf(true))


def _scores(found: Predicted) -> dict[str, Estimate]:
    of_points = {
        name: bootstrap(
            lambda true, point, score=score: score(true, point, scale=1.0 + true),
            found.true,
            found.median,
            seed=1,
        )
        for name, score in MEASURES.items()
    }
    of_shares = {
        name: bootstrap(
            lambda row: float(row.mean()), np.abs(found.below - 0.5) < 0.5 * share, seed=1
        )
        for name, share in SHARES.items()
    }  # fmt: skip
    return of_points | of_shares


def _result(name: str, about: str, found: dict[str, Predicted]) -> Result:
    columns = (*MEASURES, *SHARES)
    rows: list[list[Any]] = []
    for method, predicted in found.items():
        scores, targets = _scores(predicted), TARGETS.get((name, method), {})
        checked = [
            Check(f"{method}, {one}", scores[one], targets[one]) if one in targets else scores[one]
            for one in columns
        ]
        rows.append([method, *checked])
    return Result(
        f"photoz/{name.lower().replace('-', '_').replace(', ', '_').replace(' ', '_')}",
        f"Real galaxies: {name}",
        f"{about}. Zero points and errors of `template`'s bands are fitted to the training galaxies. The "
        "correction of the templates was measured on the training part of zCOSMOS; their number, their "
        "general error and the prior's even share were chosen where GOODS-S, the validation part of zCOSMOS "
        "and the Hubble Deep Field were looked at. Medians of the densities; bootstrap errors; NMAD, "
        "outliers (beyond 0.15) and bias (median) of residuals over 1 + z.",
        ("method", *columns),
        rows,
    )
