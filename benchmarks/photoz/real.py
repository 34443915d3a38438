"""Redshifts of real galaxies in GOODS-S and zCOSMOS from templates; nothing is fitted to those scored."""

from collections.abc import Callable
from dataclasses import dataclass
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
from nebulium.photoz.predict import predict_galaxies
from nebulium.photoz.templates.adjustment import TemplateSettings, fitted_templates
from nebulium.sed.filters import load_filters

FOLDS = 5
MEASURES: dict[str, Callable[..., float]] = {
    "NMAD": nmad, "outliers": outlier_fraction, "bias": bias_median
}  # fmt: skip
SHARES = {"in 68 %": 0.68, "in 95 %": 0.95}
OF_GOODS_S = {
    "NMAD": Target(most=0.035), "outliers": Target(most=0.045), "in 68 %": Target(least=0.60, most=0.76),
    "in 95 %": Target(least=0.90),
}  # fmt: skip
OF_ZCOSMOS = {
    "NMAD": Target(most=0.025), "outliers": Target(most=0.03), "in 68 %": Target(least=0.60, most=0.76)
}  # fmt: skip


@dataclass(frozen=True)
class Predicted:
    """Redshifts that are known, medians of the densities, and what these put below the known."""

    true: Float[np.ndarray, " n"]
    median: Float[np.ndarray, " n"]
    below: Float[np.ndarray, " n"]


def measure(settings: Settings) -> list[Result]:
    """Both catalogues, with zero points and errors fitted to other galaxies, and as templates come."""
    goods, cosmos = goods_s(TO_KS), zcosmos()
    rows = Split().rows(cosmos.galaxies.ids)
    train, test = (cosmos.galaxies.select(rows[part]) for part in ("train", "test"))
    return [
        _result(
            "GOODS-S",
            f"`template` on the {len(goods.galaxies):,} galaxies of GOODS-S with a redshift, of "
            "whatever quality, in eleven bands U to Ks. Zero points and errors of the bands are fitted to "
            f"the other four of {FOLDS} parts",
            OF_GOODS_S,
            {"fitted to the others": _in_folds(goods), "as it comes": _as_it_comes(goods, goods.galaxies)},
        ),
        _result(
            "zCOSMOS",
            f"`template` on the {len(test):,} galaxies with secure redshifts of the test part of "
            f"zCOSMOS-bright, eight bands u to Ks. Zero points and errors of the bands are fitted to the "
            f"{len(train):,} of the training part",
            OF_ZCOSMOS,
            {
                "fitted to the training part": _fitted(cosmos, train, test),
                "as it comes": _as_it_comes(cosmos, test),
            },
        ),
    ]


def _in_folds(catalogue: Catalogue) -> Predicted:
    """Each galaxy by templates that were fitted to the other parts."""
    galaxies = catalogue.galaxies
    part = np.random.default_rng(0).permutation(len(galaxies)) % FOLDS
    found = [
        _fitted(catalogue, galaxies.select(part != one), galaxies.select(part == one)) for one in range(FOLDS)
    ]
    return Predicted(*(np.concatenate([getattr(one, name) for one in found]) for name in vars(found[0])))


def _fitted(catalogue: Catalogue, train: PhotometricGalaxies, test: PhotometricGalaxies) -> Predicted:
    return _predicted(catalogue, train, test, fit=True)


def _as_it_comes(catalogue: Catalogue, test: PhotometricGalaxies) -> Predicted:
    return _predicted(catalogue, test.select(slice(0, 0)), test, fit=False)


def _predicted(
    catalogue: Catalogue, train: PhotometricGalaxies, test: PhotometricGalaxies, *, fit: bool
) -> Predicted:
    filters = load_filters(*catalogue.filters)
    model, change = fitted_templates(
        test.bands, filters, TemplateSettings(), train, zero_points=fit, band_errors=fit
    )
    print(change.as_dict(test.bands), flush=True)
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


def _result(name: str, about: str, targets: dict[str, Target], found: dict[str, Predicted]) -> Result:
    columns = (*MEASURES, *SHARES)
    rows: list[list[Any]] = []
    for variant, predicted in found.items():
        scores = _scores(predicted)
        checked = targets if not rows else {}
        rows.append([
            variant,
            *(
                Check(one, scores[one], checked[one]) if one in checked else scores[one]
                for one in columns
            ),
        ])  # fmt: skip
    return Result(
        f"photoz/{name.lower().replace('-', '_')}",
        f"Template fitting on {name}",
        f"{about}. The correction of the templates was measured on the training part of zCOSMOS; the number "
        "of templates, their general error and the prior's even share were chosen where GOODS-S, the "
        "validation part of zCOSMOS and the Hubble Deep Field were looked at. The point estimate is the "
        "median. Bootstrap errors; NMAD, outliers (beyond 0.15) and bias (median) of residuals over 1 + z.",
        ("variant", *columns),
        rows,
    )
