"""Simple stellar populations: the grid of template spectra that composite ones are built from."""

from importlib.resources import as_file, files
from pathlib import Path

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from nebulium.data.files import reading
from nebulium.errors import SpectrumError, from_extra

SHIPPED_GRID = "templates/bc03_lowres.npz"
STEP_DEX = 2e-4  # of the stored log flux: 0.023 % at worst
DSPS_DATASETS = {
    "lgmet": "ssp_lgmet",
    "lg_age_gyr": "ssp_lg_age_gyr",
    "wave_aa": "ssp_wave",
    "flux": "ssp_flux",
}


class SSPGrid(eqx.Module):
    """Spectra of coeval stars of one metallicity, on a grid of metallicity and age.

    Parameters
    ----------
    lgmet : array (met,)
        log10 of the mass fraction of metals, absolute (the Sun of Bruzual & Charlot is log10 0.02 = -1.70).
    lg_age_gyr : array (age,)
        log10 age in Gyr.
    wave_aa : array (wave,)
        Rest wavelength in vacuum, AA.
    flux : array (met, age, wave)
        Lsun/Hz per solar mass formed.

    Examples
    --------
    >>> load_ssp().flux.shape
    (6, 197, 842)
    """

    lgmet: Float[Array, " met"]
    lg_age_gyr: Float[Array, " age"]
    wave_aa: Float[Array, " wave"]
    flux: Float[Array, "met age wave"]


def encode_log_flux(flux: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each template's log10 of the peak, and steps of 0.0002 dex below it, differenced along wavelength.

    The steps reach 13 dex deep; `decode_log_flux` is the inverse.
    """
    log_flux = np.log10(np.maximum(flux, 1e-300))
    log_peak = log_flux.max(axis=-1, keepdims=True)
    # 65,535 marks the peak and 0 stands for no flux at all.
    levels = np.clip(65535 + np.round((log_flux - log_peak) / STEP_DEX), 0, 65535).astype(np.int64)
    # uint16 wraps round, so differences need no sign; they compress better than the levels.
    steps = np.diff(levels, axis=-1, prepend=0).astype(np.uint16)
    return log_peak.astype(np.float32), steps


def decode_log_flux(log_peak: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Flux from its integer steps."""
    levels = np.cumsum(steps, axis=-1, dtype=np.uint16)
    log_flux = log_peak.astype(np.float64) + (levels.astype(np.float64) - 65535) * STEP_DEX
    return np.where(levels > 0, 10.0**log_flux, 0.0).astype(np.float32)


def load_ssp(path: str | Path | None = None) -> SSPGrid:
    """Read the shipped grid, or a grid of one's own in the HDF5 layout of DSPS.

    The shipped grid is that of Bruzual & Charlot (2003) at 20 AA, 91 to 19,950 AA, 126 thousand
    years to 14.5 Gyr, six metallicities from 0.0001 to 0.05; how it was made stands in the file beside it.

    Parameters
    ----------
    path : str or Path, optional
        HDF5 file with the datasets ssp_lgmet (log10 of absolute Z), ssp_lg_age_gyr, ssp_wave (AA)
        and ssp_flux (Lsun/Hz/Msun; metallicity, age, wavelength), as `dsps.load_ssp_templates` reads.

    Returns
    -------
    SSPGrid

    Raises
    ------
    SpectrumError
        The file cannot be read, lacks a dataset, or its values do not look like the units above.
    MissingExtraError
        A path was given and h5py is not installed.

    Examples
    --------
    >>> grid = load_ssp()
    >>> float(grid.wave_aa[0]), float(grid.wave_aa[-1])
    (91.0, 19950.0)
    """
    arrays = _read_shipped() if path is None else _read_dsps_file(Path(path))
    where = "the shipped grid" if path is None else str(path)
    _check_shapes(arrays, where)
    _check_axes(arrays, where)
    _check_values(arrays, where)
    return SSPGrid(**{name: jnp.asarray(array, dtype=jnp.float32) for name, array in arrays.items()})


def _read_shipped() -> dict[str, np.ndarray]:
    with as_file(files("nebulium.sed") / SHIPPED_GRID) as path, np.load(path, allow_pickle=False) as stored:
        flux = decode_log_flux(stored["log_peak"], stored["steps"])
        axes = {name: stored[name] for name in ("lgmet", "lg_age_gyr", "wave_aa")}
    return axes | {"flux": flux}


def _read_dsps_file(path: Path) -> dict[str, np.ndarray]:
    with from_extra("h5py", "sed"):
        import h5py
    if not path.is_file():
        raise SpectrumError(
            str(path), "does not exist", "check the path; without one the shipped grid is read"
        )
    with reading(path, "HDF5", SpectrumError), h5py.File(path) as file:
        missing = [dataset for dataset in DSPS_DATASETS.values() if dataset not in file]
        if missing:
            problem = f"lacks {', '.join(missing)}; it has {', '.join(file) or 'nothing'}"
            raise SpectrumError(str(path), problem, "write the grid in the layout of dsps.load_ssp_templates")
        return {name: np.asarray(file[dataset][()], np.float64) for name, dataset in DSPS_DATASETS.items()}


def _check_shapes(arrays: dict[str, np.ndarray], where: str) -> None:
    axes = tuple(arrays[name].size for name in ("lgmet", "lg_age_gyr", "wave_aa"))
    if arrays["flux"].shape != axes:
        raise SpectrumError(
            f"{where}, ssp_flux",
            f"has the shape {arrays['flux'].shape}; expected (metallicity, age, wavelength) = {axes}",
            "transpose it so that wavelength comes last",
        )
    if min(axes) < 2:
        raise SpectrumError(where, f"has the axes {axes}; each needs two points", "use a full grid")


def _check_axes(arrays: dict[str, np.ndarray], where: str) -> None:
    for name in ("lgmet", "lg_age_gyr", "wave_aa"):
        if not np.all(np.diff(arrays[name]) > 0):
            raise SpectrumError(f"{where}, {DSPS_DATASETS[name]}", "does not increase", "sort the grid")
    if arrays["lgmet"].max() >= 0:
        raise SpectrumError(
            f"{where}, ssp_lgmet",
            f"reaches {arrays['lgmet'].max():.3g}; expected log10 of absolute Z, below 0",
            "if it is log10 Z/Zsun, add log10 of the grid's solar Z (0.02 for Bruzual & Charlot)",
        )
    if not 0.9 < arrays["lg_age_gyr"].max() < 2:
        raise SpectrumError(
            f"{where}, ssp_lg_age_gyr",
            f"ends at {arrays['lg_age_gyr'].max():.3g}; expected log10 of the age in Gyr, ending near 1.1",
            "if it is log10 of years, subtract 9; if it is Gyr, take log10",
        )
    if not 5000 < arrays["wave_aa"].max() < 1e9:
        raise SpectrumError(
            f"{where}, ssp_wave",
            f"ends at {arrays['wave_aa'].max():.5g}; expected Angstrom",
            "multiply nanometres by 10, microns by 10,000",
        )


def _check_values(arrays: dict[str, np.ndarray], where: str) -> None:
    flux = arrays["flux"]
    if not np.all(np.isfinite(flux)) or flux.min() < 0:
        raise SpectrumError(f"{where}, ssp_flux", "has negative or infinite values or NaN", "set them to 0")
    # Young stars give at most some 1e-12 Lsun/Hz per solar mass; per Angstrom the number is 1e5 larger.
    if not 1e-16 < flux.max() < 1e-9:
        raise SpectrumError(
            f"{where}, ssp_flux",
            f"peaks at {flux.max():.2g}; expected Lsun/Hz per solar mass formed, about 1e-12 at the peak",
            "convert Lsun/AA by wavelength^2 / (2.998e18 AA/s)",
        )
