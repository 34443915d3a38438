"""Real catalogues with spectroscopic redshifts: GOODS-S and zCOSMOS."""

from dataclasses import dataclass

import numpy as np

from benchmarks.settings import data_folder
from nebulium.data.ids import rows_of_ids
from nebulium.data.tables.reading import read_table
from nebulium.photometry.catalogue import read_photometry
from nebulium.photometry.galaxies import PhotometricGalaxies
from nebulium.photometry.layout import BandColumns, CatalogueLayout

#: Columns of GOODS-S (Guo et al. 2013, ApJS 207, 24), and what sedpy calls their filters.
GOODS_S = {
    "VIMOS_U": "vlt_vimos_U", "ACS_F435W": "acs_wfc_f435w", "ACS_F606W": "acs_wfc_f606w",
    "ACS_F775W": "acs_wfc_f775w", "ACS_F814W": "acs_wfc_f814w", "ACS_F850LP": "acs_wfc_f850lp",
    "WFC3_F098M": "wfc3_ir_f098m", "WFC3_F105W": "wfc3_ir_f105w", "WFC3_F125W": "wfc3_ir_f125w",
    "WFC3_F160W": "wfc3_ir_f160w", "ISAAC_KS": "vlt_isaac_Ks", "IRAC_CH1": "spitzer_irac_ch1",
    "IRAC_CH2": "spitzer_irac_ch2",
}  # fmt: skip
#: Of these the templates reach all bands but IRAC's.
TO_KS = 11
#: Columns of the COSMOS photometry beside zCOSMOS-bright (Lilly et al. 2009, ApJS 184, 218), and filters.
ZCOSMOS = {
    "u": "cfht_megacam_us_9301", "b": "subaru_suprimecam_B", "v": "subaru_suprimecam_V",
    "r": "subaru_suprimecam_rp", "i": "subaru_suprimecam_ip", "z": "subaru_suprimecam_zp",
    "j": "cfht_wircam_J_8101", "k": "cfht_wircam_Ks_8302",
}  # fmt: skip
#: All bands that may be asked for, by wavelength: colours are of neighbours.
COSMOS_ORDER = "ubgvrizjk"
#: Classes of redshifts that are secure; stars lie below the least redshift.
SECURE, LEAST_REDSHIFT = (3, 4), 0.001


@dataclass(frozen=True)
class Catalogue:
    """Galaxies, all with redshifts, and the filters of their bands."""

    galaxies: PhotometricGalaxies
    filters: tuple[str, ...]


def goods_s(bands: int = len(GOODS_S)) -> Catalogue:
    """All galaxies of GOODS-S, in the first bands."""
    names = tuple(GOODS_S)[:bands]
    layout = CatalogueLayout(
        bands=tuple(BandColumns(name, name, f"{name}_ERR") for name in names),
        flux_unit="uJy",
        missing=("-99",),
        id_column="id",
        redshift_column="Z",
    )
    galaxies = read_photometry(data_folder() / "photoz" / "candels_goodss_specz.parquet", layout)
    return Catalogue(galaxies, tuple(GOODS_S[name] for name in names))


def zcosmos(*further: str) -> Catalogue:
    """The galaxies of zCOSMOS with secure redshifts, in eight bands and any without a known filter."""
    path = data_folder() / "photoz" / "zcosmos_bright.parquet"
    names = tuple(name for name in COSMOS_ORDER if name in (*ZCOSMOS, *further))
    layout = CatalogueLayout(
        bands=tuple(BandColumns(name, f"{name}_photzi25", f"e{name}_photzi25") for name in names),
        magnitudes=True,
        missing=("-99", "-99.9"),
        id_column="id_zcosmos",
        redshift_column="zpec",
    )
    galaxies = read_photometry(path, layout)
    quality = read_table(path, columns={"target_id": "id_zcosmos", "class": "cc"})
    classes = quality["class"][rows_of_ids(galaxies.ids, quality["target_id"])]
    secure = np.isin(np.floor(classes), SECURE) & (galaxies.redshift > LEAST_REDSHIFT)
    seen = np.any(np.isfinite(galaxies.flux_njy), axis=1)
    return Catalogue(galaxies.select(secure & seen), tuple(ZCOSMOS.values()))
