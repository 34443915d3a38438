"""Principal components of spectra with gaps and noise, by expectation and maximisation.

Coefficients given the components, and components given the coefficients, are two weighted least squares, in
turn (Roweis 1998; Bailey 2012, PASP 124, 1015). Pixels near lines are left out and drawn through by a
cubic spline, so that what stands there is continuum.
"""

from dataclasses import dataclass

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from scipy.interpolate import CubicSpline

from nebulium.errors import SpectrumError
from nebulium.spectra.continuum.basis import STEP, WINDOW_AA, ContinuumBasis, away_from_lines, rest_waves

Pixels = Float[np.ndarray, "n rest"]

#: Rounds of expectation and maximisation, and spectra whose matrices are in memory at a time.
ROUNDS, AT_A_TIME = 15, 500
#: No pixel counts as better known than this share of the flux, or the brightest galaxies would rule.
LEAST_ERROR = 0.01
#: Pixels of which fewer of the spectra know anything are drawn through.
LEAST_SHARE = 0.05
#: Spectra that components are fitted to, at the least for each.
LEAST_SPECTRA = 5


@dataclass(frozen=True, eq=False)
class RestSpectra:
    """Spectra brought onto a rest grid, 1 in the window.

    Attributes
    ----------
    flux, weight : ndarray of float32 of shape (n, rest)
        Weight is 0 where nothing is known, and near lines.
    first : int
        First pixel of the grid.
    """

    flux: Pixels
    weight: Pixels
    first: int

    def __len__(self) -> int:
        return len(self.flux)


def on_rest_grid(
    wave_aa: Float[np.ndarray, "n wave"],
    flux: Float[np.ndarray, "n wave"],
    ivar: Float[np.ndarray, "n wave"],
    redshift: Float[np.ndarray, " n"],
    grid: tuple[int, int],
) -> RestSpectra:
    """Share the pixels of spectra out to the two nearest of a rest grid; drop those dark in the window."""
    first, pixels = grid
    waves = rest_waves(first, pixels)
    clear = np.asarray(away_from_lines(jnp.asarray(waves)))
    window = (waves > WINDOW_AA[0]) & (waves < WINDOW_AA[1])
    fluxes, weights = [], []
    for wave, values, good, z in zip(wave_aa, flux, ivar, redshift, strict=True):
        at = (np.log(wave.astype(np.float64)) - np.log1p(z)) / STEP - first
        used = (at >= 0) & (at < pixels - 1) & (good > 0)
        below = at[used].astype(int)
        share, own, light = at[used] - below, good[used].astype(np.float64), values[used].astype(np.float64)
        total, weighted = (
            np.bincount(below, one * (1.0 - share), pixels) + np.bincount(below + 1, one * share, pixels)
            for one in (own, own * light)
        )
        mean = weighted / np.maximum(total, 1e-30)
        there = window & (total > 0)
        level = (
            float(np.sum((total * mean)[there]) / max(np.sum(total[there]), 1e-30)) if there.any() else 0.0
        )
        if level > 0:
            variance = 1.0 / np.maximum(total * level**2, 1e-30) + LEAST_ERROR**2
            fluxes.append(mean / level)
            weights.append(np.where(clear & (total > 0), 1.0 / variance, 0.0))
    shape = (len(fluxes), pixels)
    return RestSpectra(
        np.array(fluxes, np.float32).reshape(shape), np.array(weights, np.float32).reshape(shape), first
    )


def joined(parts: list[RestSpectra]) -> RestSpectra:
    """Several sets on one grid."""
    flux, weight = (np.concatenate([getattr(one, name) for one in parts]) for name in ("flux", "weight"))
    return RestSpectra(flux, weight, parts[0].first)


def fit_basis(spectra: RestSpectra, components: int, *, where: str = "spectra") -> ContinuumBasis:
    """Fit principal components to spectra.

    Parameters
    ----------
    spectra : RestSpectra
    components : int
    where : str
        For messages.

    Returns
    -------
    ContinuumBasis

    Raises
    ------
    SpectrumError
        There are too few spectra, or no wavelengths that enough of them share.
    """
    least = LEAST_SPECTRA * components
    if len(spectra) < least:
        ends = f"{WINDOW_AA[0]:.0f} and {WINDOW_AA[1]:.0f} AA at rest"
        problem = (
            f"gives {len(spectra)} spectra to learn from that have light between {ends}, "
            f"expected {least} or more for {components} components"
        )
        mend = (
            "give more that reach there, check redshifts and wavelengths, or ask for fewer: "
            "--components (components=)"
        )
        raise SpectrumError(where, problem, mend)
    flux, weight = spectra.flux.astype(np.float64), spectra.weight.astype(np.float64)
    known = np.mean(weight > 0, axis=0) >= LEAST_SHARE
    waves = rest_waves(spectra.first, flux.shape[1])
    window = (waves > WINDOW_AA[0]) & (waves < WINDOW_AA[1])
    if not np.all(known[window]):
        problem = f"share no wavelengths between {WINDOW_AA[0]:.0f} and {WINDOW_AA[1]:.0f} AA at rest"
        mend = "give spectra that reach there; check the redshifts and the unit of the wavelengths"
        raise SpectrumError(where, problem, mend)
    weight[:, ~known] = 0.0
    mean = _through(known, _weighted(flux, weight)[:, None])[:, 0]
    _, _, axes = np.linalg.svd(np.where(weight > 0, flux - mean, 0.0), full_matrices=False)
    basis = axes[:components].T
    for _ in range(ROUNDS):
        basis, mean = _maximised(flux, weight, _expected(flux - mean, weight, basis), known)
    coefficients = _expected(flux - mean, weight, basis)
    # The window's own share of each component is part of the brightness, not of the shape.
    level = mean[window].mean()
    mean, basis = mean / level, basis - np.outer(mean / level, basis[window].mean(axis=0))
    centre = np.median(coefficients, axis=0)
    strengths, axes = np.linalg.eigh(np.cov((coefficients - centre).T).reshape(components, components))
    order = np.argsort(-strengths)
    empty = ContinuumBasis(spectra.first, len(waves), components)
    found = (mean + basis @ centre, basis @ axes[:, order], np.sqrt(np.maximum(strengths[order], 1e-12)))
    leaves = lambda one: (one.mean, one.components, one.scatter)  # noqa: E731
    return eqx.tree_at(leaves, empty, tuple(jnp.asarray(one, jnp.float32) for one in found))


def _weighted(flux: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Mean of each pixel."""
    return np.sum(weight * flux, axis=0) / np.maximum(np.sum(weight, axis=0), 1e-30)


def _expected(offset: np.ndarray, weight: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """Coefficients of spectra, by least squares."""
    found = []
    # Hardly a prior: it keeps the matrix of a spectrum with few pixels from being singular.
    least = 1e-6 * np.eye(basis.shape[1])
    for first in range(0, len(offset), AT_A_TIME):
        some, own = offset[first : first + AT_A_TIME], weight[first : first + AT_A_TIME]
        matrix = np.einsum("np,pi,pj->nij", own, basis, basis, optimize=True)
        size = np.trace(matrix, axis1=1, axis2=2)[:, None, None]
        right = (own * some) @ basis
        found.append(
            np.linalg.solve(matrix + size * least + 1e-12 * np.eye(len(least)), right[..., None])[..., 0]
        )
    return np.concatenate(found)


def _maximised(
    flux: np.ndarray, weight: np.ndarray, coefficients: np.ndarray, known: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Orthonormal components, and the mean, by least squares pixel by pixel."""
    # Half of all galaxies lie within: what one spectrum of few pixels says must not turn the components.
    middle = np.median(coefficients, axis=0)
    most = 20.0 * np.median(np.abs(coefficients - middle), axis=0) + 1e-12
    design = np.column_stack([np.ones(len(flux)), np.clip(coefficients, middle - most, middle + most)])
    matrix = np.einsum("np,ni,nj->pij", weight, design, design, optimize=True)
    least = 1e-9 * np.trace(matrix, axis1=1, axis2=2)[:, None, None] + 1e-12
    right = np.einsum("np,ni->pi", weight * flux, design, optimize=True)
    found = np.linalg.solve(matrix + least * np.eye(design.shape[1]), right[..., None])[..., 0]
    found = _through(known, found)
    basis, _ = np.linalg.qr(found[:, 1:])
    return basis, found[:, 0]


def _through(known: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Columns with what is not known drawn through by a spline; beyond the ends they stay as they are."""
    place = np.arange(len(known))
    inside = np.flatnonzero(known)
    at = np.clip(place, inside[0], inside[-1])
    return np.where(known[:, None], columns, CubicSpline(inside, columns[inside])(at))
