"""Mock spectra: how many a second, their noise beside that of real ones, their fibres beside apertures."""

from functools import partial

import jax
import numpy as np

from benchmarks.results import CHECK_COLUMNS, Check, Result, Target
from benchmarks.settings import Settings, data_folder
from benchmarks.timing import median_seconds
from nebulium.data.spectra.reading import read_spectra
from nebulium.mock.galaxies import MockGalaxy
from nebulium.mock.images.noiseless import noiseless_image
from nebulium.mock.instruments import NJY_AT_AB_ZERO
from nebulium.mock.spectra.observing import observe_spectra
from nebulium.mock.spectra.spectrographs import SPECTROGRAPHS, find_spectrograph
from nebulium.mock.survey.blocks import BlockMaker
from nebulium.mock.survey.run_file import RunSettings
from nebulium.mock.survey.shards import BLOCK

RATE, NOISE, APERTURE = Target(least=100), Target(least=0.95, most=1.05), Target(least=0.9, most=1.1)
#: Where signal to noise is compared, and the magnitudes of light in the fibre of the rows.
RANGE_AA, MAGNITUDES = (5600.0, 6900.0), (17.0, 18.0, 19.0)
STAMP = 129


def measure(settings: Settings) -> list[Result]:
    """Speed and truth of mock spectra."""
    maker = BlockMaker(RunSettings("sdss", BLOCK, 7, 16, 0.0, shards=1))
    galaxies = jax.tree.map(np.asarray, maker.galaxies(0))
    ids = np.arange(BLOCK)
    calls = {
        name: partial(observe_spectra, maker._maker, galaxies, ids, made, seed=1)
        for name, made in SPECTROGRAPHS.items()
    }
    seconds = median_seconds(calls, settings.repeats)
    checks = [Check(f"spectra a second, {name}", BLOCK / taken, RATE) for name, taken in seconds.items()]
    noise_checks, noise_rows = _noise()
    spectra = calls["sdss"]()
    aperture = spectra.columns["fibre_fraction"] / _apertures(galaxies)
    middle, low, high = np.percentile(aperture, [50, 16, 84])
    checks += [*noise_checks, Check("fibre over aperture on the image, median", middle, APERTURE)]
    rows = [check.row for check in checks]
    rows += [["fibre over aperture on the image, 16 and 84 %", f"{low:.2f} to {high:.2f}", ""], *noise_rows]
    return [
        Result(
            "mock/spectra",
            "Spectra of mock galaxies",
            f"One block of {BLOCK} galaxies of `sdss`, from their properties to spectra with noise, in one "
            f"process on one core; the median of {settings.repeats} runs. Signal to noise is the median from "
            "5600 to 6900 AA of each of 1,590 real spectra of SDSS DR7, by their own inverse variance, and "
            "by the noise model of `--spectra sdss`, which was fitted to the variances of these spectra, at "
            "their fluxes. Apertures of 3 arcsec are on images without noise, over a star's share.",
            CHECK_COLUMNS,
            rows,
        )
    ]


def _noise() -> tuple[list[Check], list[list]]:
    """Signal to noise by the model over that of real spectra, in all and by magnitude."""
    pixels = jax.tree.map(np.asarray, find_spectrograph("sdss").pixels())
    real = read_spectra(data_folder() / "sdss/spectra/sdss_dr7_galaxies.parquet")
    first = int(np.argmin(np.abs(real.wave_aa[0] - pixels.wave_aa[0])))
    chosen = slice(first, first + pixels.wave_aa.size)
    flux, ivar = real.flux_lambda[:, chosen], real.ivar[:, chosen]
    good = (ivar > 0) & (pixels.wave_aa > RANGE_AA[0]) & (pixels.wave_aa < RANGE_AA[1])
    sigma = np.sqrt(pixels.sky_sigma**2 + pixels.photon_variance * np.maximum(flux, 0.0))
    ours, theirs, level = (
        np.nanmedian(np.where(good, values, np.nan), axis=1)
        for values in (flux / sigma, flux * np.sqrt(ivar), flux)
    )
    # Flux density at 6200 AA in nJy: 1e-17 erg/s/cm2/AA x wave^2 / c.
    mag_ab = -2.5 * np.log10(level * 1e-17 * 6200.0**2 / 2.998e18 * 1e32 / NJY_AT_AB_ZERO)
    rows = []
    for centre in MAGNITUDES:
        near = np.abs(mag_ab - centre) < 0.25
        text = f"{np.median(theirs[near]):.1f}, {np.median(ours[near]):.1f}"
        rows.append([f"S/N a pixel, real and model, {centre:g} mag in the fibre ({near.sum()})", text, ""])
    scatter = [
        [
            "S/N of the noise model over that of real spectra, scatter / dex",
            f"{np.std(np.log10(ours / theirs)):.3f}",
            "",
        ]
    ]
    return [
        Check("S/N of the noise model over that of real spectra, median", np.median(ours / theirs), NOISE)
    ], (scatter + rows)


def _apertures(galaxies: MockGalaxy) -> np.ndarray:
    """Light within the fibre of SDSS on images in r, over all of it and over a star's share."""
    instrument = BlockMaker(RunSettings("sdss", 1, 7, 16, 0.0, shards=1)).instrument
    band, scale = instrument.bands[1], instrument.pixel_scale_arcsec
    radius = 0.5 * SPECTROGRAPHS["sdss"].fibre.diameter_arcsec
    y, x = (np.indices((STAMP, STAMP)) - STAMP // 2) * scale
    inside = np.clip((radius - np.hypot(x, y)) / scale + 0.5, 0.0, 1.0)
    alpha = 0.5 * band.psf_fwhm_arcsec / np.sqrt(2 ** (1 / 3) - 1)
    star = 1 - (1 + (radius / alpha) ** 2) ** -2
    shares = []
    for row, redshift in enumerate(galaxies.properties.redshift):
        structure = jax.tree.map(lambda leaf, row=row: leaf[row], galaxies.structure)
        flux_njy = galaxies.light.flux_njy[row]
        image = noiseless_image(structure, flux_njy, float(redshift), instrument, STAMP)[..., 1]
        shares.append(np.sum(image * inside) / (flux_njy[:, 1].sum() * band.units_per_njy) / star)
    return np.array(shares)
