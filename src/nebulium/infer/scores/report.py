"""A folder that says how well the posteriors of a model hold the truth of simulated galaxies."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import kstest

from nebulium.data.output import check_place, replace_on_success
from nebulium.data.tables.table import Table
from nebulium.data.tables.writer import write_table
from nebulium.errors import NebuliumError
from nebulium.infer.parameters import PROPERTIES
from nebulium.infer.predict import LEAST_EFFECTIVE, PosteriorPredictor
from nebulium.infer.scores.calibration import Calibration, calibration
from nebulium.verbs import find_predictor

TABLE, FIGURE, README = "calibration.ecsv", "pit.png", "README.md"
#: Fewer galaxies tell nothing of shares in thirds.
LEAST = 60
LABELS = {
    "log_mstar": "log M*", "log_sfr": "log SFR", "log_ssfr": "log sSFR", "age_gyr": "age", "av_mag": "A_V",
    "lgmet": "log Z*",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class CheckRun:
    """What a check wrote and found.

    Attributes
    ----------
    output : Path
        The folder.
    found : Calibration
    """

    output: Path
    found: Calibration


def check_file(
    output: str | Path,
    *,
    model: str | Path,
    n: int = 2000,
    relative_error: float | None = None,
    seed: int = 1,
) -> CheckRun:
    """Look where the truth of simulated galaxies lies in their posteriors.

    Parameters
    ----------
    output : str or Path
        Folder: ``calibration.ecsv`` says, for each property and third of signal over noise, which share of
        the truths the central 68 and 95 % hold, and the chance of a distribution as uneven (K-S);
        ``pit.png`` shows the distributions; ``README.md`` says the rest.
    model : str or Path
        Name of a packaged model, or a model folder.
    n : int
        Galaxies, 60 or more.
    relative_error : float, optional
        Error of all fluxes, as a fraction of them; noise of any strength, and bands missing, if not given.
    seed : int
        Of the galaxies.

    Returns
    -------
    CheckRun

    Raises
    ------
    NebuliumError
        The model or the output is at fault, or there are too few galaxies.

    Examples
    --------
    >>> check_file("checked", model="mine")  # doctest: +SKIP
    """
    if n < LEAST:
        raise NebuliumError("--n", f"expected {LEAST} galaxies or more, found {n}", f"ask for {LEAST}")
    if relative_error is not None and not 0.0 < relative_error < 1.0:
        problem = f"expected a fraction between 0 and 1, found {relative_error:g}"
        raise NebuliumError("--relative-error", problem, "write 0.03, say")
    check_place(output, folder_with=TABLE)
    predictor = find_predictor(model, of=PosteriorPredictor)
    found = calibration(predictor, n, relative_error=relative_error, seed=seed)
    with replace_on_success(output, folder_with=TABLE) as partial:
        partial.mkdir()
        write_table(calibration_table(found), partial / TABLE)
        pit_figure(found).savefig(partial / FIGURE, dpi=150)
        (partial / README).write_text(_readme(predictor, found, relative_error), encoding="utf-8")
    return CheckRun(Path(output), found)


def calibration_table(found: Calibration) -> Table:
    """Shares of the truths that are held, by property and third of signal over noise."""
    parts = {"all": np.ones(len(found.tarp), bool), **found.parts()}
    rows: list[tuple[Any, ...]] = []
    for part, chosen in parts.items():
        some = found.select(chosen)
        for place, name in enumerate(PROPERTIES):
            chance = kstest(some.pit[:, place], "uniform").pvalue
            rows.append((name, part, len(some.tarp), some.held(0.68)[place], some.held(0.95)[place], chance))
    names = ("property", "signal", "n", "held_68", "held_95", "ks_p")
    return Table(
        {name: np.array(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)}
    )


def pit_figure(found: Calibration) -> Any:
    """Where the truths lie: flat if posteriors are calibrated."""
    from matplotlib.figure import Figure

    from nebulium.metrics.figure_style import FULL_WIDTH
    from nebulium.metrics.panels import draw_pit_histogram, finish, say

    figure = Figure(figsize=(FULL_WIDTH, 3.6), layout="constrained")
    panels = figure.subplots(2, 4).ravel()
    for place, name in enumerate(PROPERTIES):
        draw_pit_histogram(panels[place], found.pit[:, place])
        say(panels[place], f"68 % hold {found.held(0.68)[place]:.3f}")
        finish(panels[place], "", "", LABELS[name])
    draw_pit_histogram(panels[6], found.tarp)
    say(panels[6], f"TARP, farthest {found.tarp_distance():.3f}")
    finish(panels[6], "", "", "all at once")
    panels[7].hist(found.efficiency, bins=20, range=(0, 1), color="0.6")
    finish(panels[7], "", "", "efficiency of draws")
    figure.supxlabel("share of the posterior below the truth", fontsize=8)
    return figure


def _readme(predictor: PosteriorPredictor, found: Calibration, relative_error: float | None) -> str:
    """What was looked at, in words."""
    noise = (
        "with noise of any strength, and bands missing"
        if relative_error is None
        else f"with errors of {relative_error:.1%} of the flux in all bands"
    )
    model = predictor.models[0]
    errors = ", ".join(f"{error:.1%}" for error in np.asarray(predictor.model.model_error).tolist())
    few = (found.effective < LEAST_EFFECTIVE).mean()
    return f"""# Calibration of {model.name}

{len(found.tarp):,} galaxies drawn from the interim prior, {noise}; model errors of {errors}; lines drawn from
their own law, not from the normal one of the likelihood. If posteriors are right, `held_68` is near 0.68 and
`ks_p` is rarely small.

- Efficiency of the draws: median {np.median(found.efficiency):.1%}.
- Said not to be reliable: {found.flagged.mean():.1%}; with fewer than {LEAST_EFFECTIVE:g} effective draws:
  {few:.1%}.
- All properties at once (TARP): farthest from even {found.tarp_distance():.3f}.
- Model: {model.fingerprint}.
"""
