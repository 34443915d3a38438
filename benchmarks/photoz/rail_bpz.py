"""BPZ as RAIL ships it, on galaxies that are handed over: p(z) of each on one grid.

Runs in an environment of its own (`PACKAGES`), knows nothing of nebulium, and is called by
`benchmarks.photoz.bpz`: ``python -m benchmarks.photoz.rail_bpz INPUT.npz OUTPUT.npz``.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np

PACKAGES = ("pz-rail-base", "pz-rail-bpz")
#: Those that come with RAIL: a list of spectra, and the prior for their types.
TEMPLATES = {
    "8 templates": ("CWWSB4.list", "CWW_HDFN_prior.pkl"),
    "31 templates of COSMOS": ("COSMOS_seds.list", "COSMOS31_HDFN_prior.pkl"),
}
#: Of each band, mag: the default for those of LSST.
BAND_ERROR_MAG = 0.1
NOT_OBSERVED = -99.0


def main(source: str, output: str) -> None:
    """Write the densities by each set of templates."""
    from rail.utils.path_utils import RAILDIR

    with np.load(source) as found:
        given = dict(found)
    shipped = Path(RAILDIR) / "rail" / "examples_data" / "estimation_data" / "data"
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)
        data = Path(scratch) / "data"
        # Fluxes of the templates in the bands are kept beside the filters.
        shutil.copytree(shipped, data)
        for band, (wave, transmission) in enumerate(given["filters"]):
            np.savetxt(data / "FILTER" / f"{_filter(band)}.res", np.column_stack([wave, transmission]))
        with Path(output).open("wb") as file:
            np.savez(file, **{name: _density(name, given, data) for name in TEMPLATES})


def _filter(band: int) -> str:
    return f"filter_{band}"


def _density(name: str, given: dict[str, np.ndarray], data: Path) -> np.ndarray:
    from rail.estimation.algos.bpz_lite import BPZliteEstimator

    spectra, prior = TEMPLATES[name]
    grid, bands = given["grid"], range(given["mag"].shape[1])
    names = {kind: [f"{kind}_{band}" for band in bands] for kind in ("mag", "err")}
    stage = BPZliteEstimator.make_stage(
        name=name.replace(" ", "_"),
        model=str(data / prior),
        hdf5_groupname="",
        output_mode="return",
        bpz_ref_data_path=str(data),
        spectra_file=spectra,
        madau_flag="yes",
        bands=names["mag"],
        err_bands=names["err"],
        ref_band=names["mag"][int(given["reference"])],
        filter_list=[_filter(band) for band in bands],
        mag_limits=dict(zip(names["mag"], given["limits"].tolist(), strict=True)),
        zp_errors=[BAND_ERROR_MAG] * len(bands),
        zmin=float(grid[0]),
        zmax=float(grid[-1]),
        nzbins=len(grid),
        override_file_offsets=True,
        zp_offsets=[0.0] * len(bands),
    )
    mag = np.where(np.isnan(given["mag"]), NOT_OBSERVED, given["mag"])
    table = {
        names[kind][band]: all_[:, band].copy()
        for kind, all_ in (("mag", mag), ("err", given["err"]))
        for band in bands
    }
    found = stage.estimate(table)
    return (found.data if hasattr(found, "data") else found).pdf(grid).astype(np.float32)


if __name__ == "__main__":
    main(*sys.argv[1:])
