"""Measure resolution and noise of the SDSS and DESI spectrographs on real spectra, and write their tables.

    python -m benchmarks.weights.make_spectrographs ../shared/data

SDSS: the quoted variance of 1,590 spectra of galaxies in DR7 is fitted, pixel by pixel, as that of the sky
plus a constant times the flux, the counted photons; the width of lines is the median of that of eight files
that tell it.

DESI: the variance of two coadds of faint targets, in which the sky is nearly all, each times its effective
time (12.15 s times TSNR2_LRG, as the survey defines it); the width is the median of these and of a third. No
bright spectrum is at hand to measure the photons of a galaxy: they are counted, see `DESI_ELECTRONS`.
"""

import argparse
from pathlib import Path

import numpy as np
from astropy.io import fits
from scipy.ndimage import median_filter

from benchmarks.settings import REPOSITORY
from nebulium.data.spectra.reading import read_spectra
from nebulium.data.tables.table import Table
from nebulium.data.tables.writer import write_table

DESTINATION = REPOSITORY / "src/nebulium/mock/weights/spectrographs"
#: Where the flux must be known for the photon term, and how far around: it is smooth.
NODES_AA, REACH_AA = np.geomspace(3850.0, 9150.0, 28), 30.0
#: DESI's bright programme: effective seconds of one tile, and those of a unit of TSNR2_LRG.
DESI_SECONDS, SECONDS_OF_TSNR2 = 180.0, 12.15
#: Electrons a second in a pixel of 0.8 AA from 1e-17 erg/s/cm2/AA at 6000 AA: 8.7 m2 of mirror, and a fifth
#: of the photons that arrive above the air are counted, at all wavelengths. The fifth is an assumption.
DESI_ELECTRONS = 1e-17 * 0.8 * 8.7e4 * 0.2 / (1.986e-8 / 6000.0)
FAINT = {"coadd-special-dark-27247": 39089837499744649, "coadd-sv3-dark-26065": 39627866878511337}
BRIGHT = "coadd-4-80613-thru20210324"


def sdss(data: Path) -> dict[str, np.ndarray]:
    """Columns of the table of SDSS."""
    spectra = read_spectra(data / "sdss/spectra/sdss_dr7_galaxies.parquet")
    wave = 10.0 ** (3.5777 + 1e-4 * np.arange(spectra.wave_aa.shape[1]))
    np.testing.assert_allclose(spectra.wave_aa[0], wave, rtol=2e-6)
    variance = np.where(spectra.ivar > 0, 1.0 / np.where(spectra.ivar > 0, spectra.ivar, 1.0), np.nan)
    flux = np.where(spectra.ivar > 0, spectra.flux_lambda, np.nan)
    photons = np.interp(wave, NODES_AA, [_photon_term(wave, flux, variance, node) for node in NODES_AA])
    smooth = median_filter(np.nan_to_num(flux), (1, 25))
    sky = np.nanmedian(variance - photons * np.maximum(smooth, 0.0), axis=0)
    files = sorted([*(data / "sdss/pairs").glob("spec-*.fits"), *(data / "sdss/spectra").glob("NGC*.fits")])
    kept = (wave > 3800.0) & (wave < 9200.0)
    return _columns(wave, _width(files, wave), np.sqrt(np.maximum(sky, 1e-4)), photons, kept)


def _photon_term(wave: np.ndarray, flux: np.ndarray, variance: np.ndarray, node: float) -> float:
    """Slope of the variance with the flux, near one wavelength; robust against the odd plate."""
    near = np.abs(wave - node) < REACH_AA
    x, y = np.nanmedian(flux[:, near], axis=1), np.nanmedian(variance[:, near], axis=1)
    model = np.full_like(y, np.nanmedian(y))
    for _ in range(30):
        good = np.abs(y / model - 1.0) < 1.2
        terms = np.stack([np.ones(good.sum()), x[good]], axis=1) / model[good, None]
        (sky, slope), *_ = np.linalg.lstsq(terms, y[good] / model[good])
        model = np.maximum(sky, 1e-3) + slope * np.maximum(x, 0.0)
    return float(slope)


def desi(data: Path) -> dict[str, np.ndarray]:
    """Columns of the table of DESI."""
    folder, seconds = data / "desi/spectra", []
    for name, target in FAINT.items():
        spectra = read_spectra(folder / f"{name}.fits")
        scores = fits.getdata(folder / f"{name}.fits", "SCORES")
        tsnr2 = float(scores["TSNR2_LRG"][scores["TARGETID"] == target][0])
        ivar = spectra.ivar[spectra.ids == target][0]
        seconds.append(np.where(ivar > 0, SECONDS_OF_TSNR2 * tsnr2 / np.where(ivar > 0, ivar, 1.0), np.nan))
    wave = spectra.wave_aa[0].astype(float)
    # One of them has a bad exposure at the blue end of the middle arm, which counts in full there.
    low, high = np.nanmin(seconds, axis=0), np.nanmax(seconds, axis=0)
    variance = np.where(high > 2.0 * low, low, 0.5 * (low + high)) / DESI_SECONDS
    photons = 1.0 / (DESI_ELECTRONS * (wave / 6000.0) * DESI_SECONDS)
    width = _width([folder / f"{name}.fits" for name in (*FAINT, BRIGHT)], wave)
    return _columns(wave, width, np.sqrt(variance), photons, np.isfinite(variance))


def _width(files: list[Path], wave: np.ndarray) -> np.ndarray:
    """Sigma of the line-spread function in AA: the median of files."""
    each = [np.interp(wave, one.wave_aa[0], one.lsf_sigma_aa[0]) for one in map(read_spectra, files)]
    return median_filter(np.nanmedian(each, axis=0), 101)


def _columns(
    wave: np.ndarray, width: np.ndarray, sky: np.ndarray, photons: np.ndarray, kept: np.ndarray
) -> dict[str, np.ndarray]:
    """Rounded to four digits, which is more than they are good for, so that the file is small."""
    noise = {"lsf_sigma_aa": width, "sky_sigma": sky, "photon_variance": photons}
    digits = {
        name: np.array([float(f"{one:.3e}") for one in values[kept]], np.float32)
        for name, values in noise.items()
    }
    return {"wave_aa": wave[kept].astype(np.float32), **digits}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    folder = parser.parse_args().data
    DESTINATION.mkdir(exist_ok=True)
    for name, columns in (("sdss", sdss(folder)), ("desi", desi(folder))):
        write_table(Table(columns), DESTINATION / f"{name}.parquet")
        for at in (4000.0, 5500.0, 6600.0, 7400.0, 8500.0):
            row = np.argmin(np.abs(columns["wave_aa"] - at))
            print(name, {key: float(values[row]) for key, values in columns.items()})
