"""Can a classifier tell samples of the model, noise included, from observed galaxies?"""

import numpy as np

from benchmarks.results import CHECK_COLUMNS, Check, Result, Target
from benchmarks.settings import Settings, galaxies_of, line_model
from nebulium.lines.continuum.line_list import LINES, line_index
from nebulium.lines.measured_galaxies import MeasuredGalaxies
from nebulium.lines.measurement import BOUND_SNR
from nebulium.lines.scores.baselines import baseline_features
from nebulium.lines.scores.bpt import bpt_diagram
from nebulium.lines.scores.figures import ew_distributions
from nebulium.lines.scores.populations import draw_measurements
from nebulium.metrics.two_sample import ClassifierAUC, classifier_auc

SEED = 0
ONE_PLANE = Target(most=0.55)
BPT_LINES = [line_index(line) for line in ("NII_6584", "HALPHA", "OIII_5007", "HBETA")]


def measure(settings: Settings) -> list[Result]:
    """AUCs on all lines and colours, in the BPT plane and in each line's histogram."""
    model, galaxies = line_model(settings.model), galaxies_of(settings, "test")
    continua = galaxies.continuum_flux, galaxies.redshift
    samples = {
        independent: _at_bound_to_zero(
            draw_measurements(model, *continua, galaxies.lines, seed=SEED, independent=independent), galaxies
        )
        for independent in (False, True)
    }
    observed = _at_bound_to_zero(galaxies.ew_aa, galaxies)
    _draw(settings, observed, samples[False])
    colours = baseline_features(galaxies.continuum_flux, galaxies.redshift, luminosity=False)
    joint, apart = (_auc(np.hstack([s, colours]), np.hstack([observed, colours])) for s in samples.values())
    checks = [
        Check("all lines and colours", joint, Target(most=0.5 + (apart.value - 0.5) / 2)),
        _check("BPT plane", _bpt(samples[False]), _bpt(observed)),
        *(
            _check(f"EW of {line}", samples[False][:, [place]], observed[:, [place]])
            for place, line in enumerate(LINES)
        ),
    ]
    return [
        Result(
            "lines/joint",
            "Samples against observed galaxies",
            "Area under the ROC curve (0.5: cannot be told apart) of gradient-boosted trees, "
            f"cross-validated, that tell one sample of each of {len(galaxies):,} test galaxies, with its "
            "noise and its missing lines, from its measurement. With its lines drawn independently the "
            f"same model gives {apart.value:.3f} ± {apart.error:.3f} on all lines and colours; the joint "
            "samples should come at least half way down to 0.5. Fits at their bound count as 0 in both "
            "sets.",
            CHECK_COLUMNS,
            [check.row for check in checks],
        )
    ]


def _check(quantity: str, sampled: np.ndarray, observed: np.ndarray) -> Check:
    return Check(quantity, _auc(sampled, observed, complete=True), ONE_PLANE)


def _auc(sampled: np.ndarray, observed: np.ndarray, *, complete: bool = False) -> ClassifierAUC:
    """A galaxy and its sample share a fold, since they share their colours; none with gaps if complete."""
    sets = []
    for rows in (sampled, observed):
        kept = np.isfinite(rows).all(axis=1) if complete else np.ones(len(rows), bool)
        sets.append((rows[kept], np.flatnonzero(kept)))
    (a, groups_a), (b, groups_b) = sets
    return classifier_auc(a, b, seed=SEED, groups_a=groups_a, groups_b=groups_b)


def _at_bound_to_zero(ew_aa: np.ndarray, galaxies: MeasuredGalaxies) -> np.ndarray:
    """A fit at its bound says 1e-6 AA in the table and 0 in a sample, which would give it away."""
    ew_aa = np.asarray(ew_aa, float)
    return np.where(ew_aa < BOUND_SNR * galaxies.sigma_aa, 0.0, ew_aa)


def _bpt(ew_aa: np.ndarray) -> np.ndarray:
    """The two ratios of each galaxy; NaN where a line is missing or at its bound."""
    nii, halpha, oiii, hbeta = (np.where(ew_aa[:, place] > 0, ew_aa[:, place], np.nan) for place in BPT_LINES)
    return np.column_stack([np.log10(nii / halpha), np.log10(oiii / hbeta)])


def _draw(settings: Settings, observed: np.ndarray, sampled: np.ndarray) -> None:
    figure = bpt_diagram({"observed": observed, "samples with noise": sampled})
    figure.savefig(settings.figures / "bpt.png", dpi=150)
    figure = ew_distributions(observed, {"samples with noise": sampled})
    figure.savefig(settings.figures / "ew_distributions.png", dpi=150)
