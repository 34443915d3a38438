"""Transmission curves of filters, by name or from files, made ready for photometry.

Wavelengths are in vacuum, as those of spectra are. The files of the named filters do not say what theirs
are; they are taken as vacuum, which is right for telescopes in space. If the curve of a telescope on the
ground were in air, a shift of 0.028 %, its magnitudes would be off by a few millimagnitudes at most.
"""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from nebulium.data.spectra.spectrum_set import vacuum_from_air
from nebulium.errors import SpectrumError, from_extra

N_STEPS = 256  # of each filter: magnitudes of template spectra come out within 0.5 mmag, red leaks included
# Filters of Euclid, which astro-sedpy does not have, and their names in speclite.
EUCLID = {f"euclid_{band.lower()}": f"Euclid-{band}" for band in ("VIS", "Y", "J", "H")}
TAIL = 1e-4  # share of the response at each end of a curve that a spectrum need not cover


@dataclass(frozen=True)
class FilterCurve:
    """Transmission of one filter.

    Parameters
    ----------
    name : str
    wave_aa : array (node,)
        Wavelength in vacuum, AA, increasing.
    transmission : array (node,)
        Photons detected per photon, times any constant.

    Examples
    --------
    >>> FilterCurve("box", np.array([4000.0, 5000.0]), np.array([1.0, 1.0])).name
    'box'
    """

    name: str
    wave_aa: np.ndarray
    transmission: np.ndarray


class Filters(eqx.Module):
    """Filters as steps of response to photons, each over its own range of wavelength.

    Parameters
    ----------
    names : tuple of str
    edges_aa : array (band, edge)
        Ends of the steps, AA; shorter where the response changes fast.
    response : array (band, edge - 1)
        Transmission over wavelength, averaged over each step, over its integral; 1/AA. Flux per hertz
        times this, integrated over wavelength, is the mean that AB magnitudes are of.
    reach_aa : array (band, 2)
        What a spectrum must cover: the curve without the last ten-thousandth of its response at each end.
    pivot_aa : array (band,)
        Pivot wavelength, AA: where to draw a band.

    Examples
    --------
    >>> make_filters([FilterCurve("box", np.array([4000.0, 5000.0]), np.array([1.0, 1.0]))]).pivot_aa.round()
    Array([4491.], dtype=float32)
    """

    names: tuple[str, ...] = eqx.field(static=True)
    edges_aa: Float[Array, "band edge"]
    response: Float[Array, "band step"]
    reach_aa: Float[Array, "band 2"]
    pivot_aa: Float[Array, " band"]


def list_filters(containing: str = "") -> tuple[str, ...]:
    """Names of the filters that astro-sedpy knows, and those of Euclid.

    Parameters
    ----------
    containing : str, optional
        Part of the name, such as "sdss" or "roman".

    Returns
    -------
    tuple of str

    Raises
    ------
    MissingExtraError
        astro-sedpy is not installed.

    Examples
    --------
    >>> list_filters("sdss")
    ('sdss_g0', 'sdss_i0', 'sdss_r0', 'sdss_u0', 'sdss_z0')
    """
    return tuple(sorted(name for name in (*_sedpy_names(), *EUCLID) if containing in name))


def load_filters(*sources: str | Path | FilterCurve) -> Filters:
    """Make filters ready by name, from files, or from curves in memory.

    Parameters
    ----------
    *sources : str, Path or FilterCurve
        A name of `list_filters` (SDSS, DECam, Pan-STARRS, LSST, HST, Roman, Euclid and more), a file for
        `read_filter`, or a curve. A string that ends in .txt, .csv, .dat, .par or holds a slash is a file.

    Returns
    -------
    Filters

    Raises
    ------
    SpectrumError
        An unknown name, or a curve that makes no sense.
    MissingExtraError
        A name was given and astro-sedpy, or for Euclid speclite, is not installed.

    Examples
    --------
    >>> load_filters("sdss_g0", "sdss_r0").pivot_aa.round()
    Array([4702., 6175.], dtype=float32)
    """
    return make_filters([_curve(source) for source in sources])


def read_filter(path: str | Path, name: str | None = None, *, in_air: bool = False) -> FilterCurve:
    r"""Read a transmission curve: two columns, wavelength in AA and transmission, blanks or commas between.

    Parameters
    ----------
    path : str or Path
        Text; lines that begin with # or with letters are headers.
    name : str, optional
        The file's stem unless given.
    in_air : bool, optional
        The wavelengths of the file are in air; they are converted to vacuum.

    Returns
    -------
    FilterCurve

    Raises
    ------
    SpectrumError
        The file cannot be read, or its wavelengths are not in AA or not in order.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "box.txt"
    >>> _ = path.write_text("# AA  transmission\n4000 0\n4010 1\n4990 1\n5000 0\n")
    >>> read_filter(path).wave_aa
    array([4000., 4010., 4990., 5000.])
    """
    path = Path(path)
    try:
        lines = path.read_text().replace(",", " ").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SpectrumError(str(path), f"cannot be read ({error})", "give two columns as text") from error
    rows = [line.split() for line in lines if line.strip() and line.lstrip()[0] in "0123456789.+-"]
    try:
        wave, transmission = np.array([row[:2] for row in rows], np.float64).T
    except ValueError as error:
        raise SpectrumError(
            str(path), "has no two columns of numbers", "write wavelength in AA and transmission on each line"
        ) from error
    return FilterCurve(name or path.stem, vacuum_from_air(wave) if in_air else wave, transmission)


def make_filters(curves: Sequence[FilterCurve]) -> Filters:
    """Cut curves into steps and normalise them.

    Parameters
    ----------
    curves : sequence of FilterCurve

    Returns
    -------
    Filters

    Raises
    ------
    SpectrumError
        A curve's wavelengths are out of order or not in AA, or its transmission is negative or all zero.

    Examples
    --------
    >>> make_filters([FilterCurve("box", np.array([4000.0, 5000.0]), np.array([1.0, 1.0]))]).names
    ('box',)
    """
    if not curves:
        raise SpectrumError("filters", "none were given", "name one or more, such as 'sdss_r0'")
    for curve in curves:
        _check(curve)
    columns = zip(*map(_steps, curves), strict=True)
    steps = [jnp.asarray(np.stack(column), jnp.float32) for column in columns]
    return Filters(tuple(curve.name for curve in curves), *steps)


@cache
def _sedpy_names() -> tuple[str, ...]:
    with from_extra("astro-sedpy", "sed"):
        folder = files("sedpy") / "data" / "filters"
    return tuple(sorted(Path(entry.name).stem for entry in folder.iterdir() if entry.name.endswith(".par")))


def _curve(source: str | Path | FilterCurve) -> FilterCurve:
    if isinstance(source, FilterCurve):
        return source
    looks_like_file = isinstance(source, Path) or Path(source).suffix in {".txt", ".csv", ".dat", ".par"}
    if looks_like_file or "/" in str(source):
        return read_filter(source)
    return _named_curve(str(source))


def _named_curve(name: str) -> FilterCurve:
    if name in EUCLID:
        with from_extra("speclite", "mock"):
            from speclite.filters import load_filter
        euclid = load_filter(EUCLID[name])
        return FilterCurve(name, np.asarray(euclid.wavelength, np.float64), np.asarray(euclid.response))
    if name not in _sedpy_names():
        close = difflib.get_close_matches(name, list_filters(), n=4)
        raise SpectrumError(
            f"filter {name}",
            f"is not known; similar: {', '.join(close) or 'none'}",
            "see nebulium.sed.list_filters(), or give a file of wavelength and transmission",
        )
    from sedpy.observate import Filter

    curve = Filter(name)
    return FilterCurve(name, np.asarray(curve.wavelength), np.asarray(curve.transmission))


def _check(curve: FilterCurve) -> None:
    where, wave, transmission = f"filter {curve.name}", curve.wave_aa, curve.transmission
    if wave.shape != transmission.shape or wave.size < 2:
        raise SpectrumError(
            where, f"has {wave.size} wavelengths and {transmission.size} transmissions", "give pairs"
        )
    if not (np.all(np.isfinite(wave)) and np.all(np.isfinite(transmission))):
        raise SpectrumError(where, "has values that are not finite", "leave those lines out")
    if not np.all(np.diff(wave) > 0):
        raise SpectrumError(where, "has wavelengths that do not increase strictly", "sort them")
    if wave[0] < 900:
        raise SpectrumError(
            where,
            f"begins at {wave[0]:.4g}; expected Angstrom, above 900",
            "multiply nanometres by 10, microns by 10,000",
        )
    if transmission.max() <= 0 or transmission.min() < -0.01 * transmission.max():
        raise SpectrumError(
            where,
            f"has transmission from {transmission.min():.3g} to {transmission.max():.3g}",
            "give it as 0 to 1",
        )


def _steps(curve: FilterCurve) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.float64]:
    """Edges, response, reach and pivot wavelength of one filter, as `Filters` has them."""
    # Twenty points between nodes, so that sums stand for the integrals of the piecewise linear curve.
    nodes = np.arange(curve.wave_aa.size)
    fine = np.interp(np.arange(20 * nodes[-1] + 1) / 20, nodes, curve.wave_aa)
    response = np.interp(fine, curve.wave_aa, np.maximum(curve.transmission, 0.0)) / fine
    total = _cumulative(fine, response)
    edges = _edges(fine, response)
    in_steps = np.diff(np.interp(edges, fine, total))
    ends = np.searchsorted(total / total[-1], [TAIL, 1.0 - TAIL])
    pivot = np.sqrt(_cumulative(fine, response * fine**2)[-1] / total[-1])
    return edges, in_steps / in_steps.sum() / np.diff(edges), fine[ends], pivot


def _edges(wave: np.ndarray, response: np.ndarray) -> np.ndarray:
    """Edges of steps that are short where the response changes fast."""
    change = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(response)))])
    # Half of the steps are spread over wavelength, half over rise and fall.
    place = (wave - wave[0]) / (wave[-1] - wave[0]) + change / max(change[-1], 1e-30)
    return np.interp(np.linspace(0.0, place[-1], N_STEPS + 1), place, wave)


def _cumulative(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.concatenate([[0.0], np.cumsum(0.5 * np.diff(x) * (y[1:] + y[:-1]))])
