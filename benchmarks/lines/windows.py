"""What the width of the line-mask windows does to the predictions, on real spectra."""

from pathlib import Path

import numpy as np

from benchmarks.results import Result, number
from benchmarks.settings import Settings, data_folder, line_model
from nebulium.data.spectra.reading import read_spectra
from nebulium.data.spectra.spectrum_set import Spectra
from nebulium.lines.continuum.bins import HALF_WIDTH_KM_S
from nebulium.lines.continuum.features import features_from_spectra
from nebulium.lines.continuum.line_list import LINES
from nebulium.lines.predict import predict_table

HALF_WIDTHS_KM_S = (300.0, 600.0, 900.0, 1200.0, 1500.0)
SPECTRA = (
    "desi/spectra/coadd-4-80613-thru20210324.fits",
    "desi/spectra/coadd-special-dark-27247.fits",
    "sdss/spectra/NGC3073_SDSS_DR18.fits",
    "sdss/spectra/NGC3522_SDSS_DR18.fits",
)


def measure(settings: Settings) -> list[Result]:
    """Medians with each width over those with the default."""
    medians = np.stack([_medians(settings, width) for width in HALF_WIDTHS_KM_S])
    scatter = _scatter(settings)
    change = medians / medians[HALF_WIDTHS_KM_S.index(HALF_WIDTH_KM_S)]
    rows = [
        [
            f"{width:g}",
            *(" to ".join(number(end, digits=4) for end in (each.min(), each.max())) for each in one),
            np.nanmax(np.abs(np.log(one)) / scatter),
        ]
        for width, one in zip(HALF_WIDTHS_KM_S, change, strict=True)
    ]
    names = [Path(path).name.removesuffix(".fits").removesuffix("-thru20210324") for path in SPECTRA]
    return [
        Result(
            "lines/windows",
            "Width of the line masks",
            "Predicted median equivalent widths (model without luminosity) from real spectra whose "
            "emission was taken out in windows of other half widths, over those with the default of "
            f"{HALF_WIDTH_KM_S:g} km/s: range of the ten lines for each spectrum. The last column is the "
            "largest change of any line in units of half its predicted 68 % interval, both in log EW.",
            ("half width / km/s", *names, "largest change over the scatter"),
            rows,
        )
    ]


def _medians(settings: Settings, half_width_km_s: float) -> np.ndarray:
    """Median widths (spectrum, 10)."""
    return np.stack([_predicted(settings, path, half_width_km_s, "q50") for path in SPECTRA])


def _scatter(settings: Settings) -> np.ndarray:
    """Half the logarithmic width of the 68 % interval (spectrum, 10)."""
    low, high = (
        np.stack([_predicted(settings, path, HALF_WIDTH_KM_S, level) for path in SPECTRA])
        for level in ("q16", "q84")
    )
    return 0.5 * np.log(high / low)


def _predicted(settings: Settings, path: str, half_width_km_s: float, level: str) -> np.ndarray:
    spectra: Spectra = read_spectra(data_folder() / path)
    features = features_from_spectra(spectra, half_width_km_s=half_width_km_s)
    table = predict_table(features, model=line_model(settings.colours_model)).table
    return np.array([float(table[f"ew_{line}_{level}"][0]) for line in LINES])
