"""What there is to learn of redshifts in a mock: networks told the truth about every training galaxy."""

from pathlib import Path

import jax
import numpy as np
from jaxtyping import Float

from nebulium.data.ids import rows_of_ids
from nebulium.data.images.opening import open_images
from nebulium.data.images.preparation import prepared_chunks
from nebulium.data.rejects import Rejects
from nebulium.data.tables.table import Table
from nebulium.mock.images.on_sky import kpc_per_arcsec
from nebulium.modelfile import load_model
from nebulium.photometry.galaxies import PhotometricGalaxies
from nebulium.photoz.fluxes.recipe import PhotometryConfig, train_photometry
from nebulium.photoz.images.apertures import RADII, aperture_features
from nebulium.photoz.images.model import ImageRedshiftModel
from nebulium.photoz.predict import predict_galaxies
from nebulium.photoz.scores.scores import redshift_columns
from nebulium.verbs.score import Columns

BANDS = ("acs_wfc_f606w", "acs_wfc_f814w", "wfc3_ir_f125w", "wfc3_ir_f160w")
SHAPES = ("bulge_share", "bulge_sersic_n", "cos_inclination")
# For four times the labels: fewer passes in larger batches, nothing made noisier or left out.
CONFIG = PhotometryConfig(
    members=2, width=192, epochs=30, batch_size=256, most_noise=0.0, dropped_galaxies=0.0
)
READ = 1024

Quantities = Float[np.ndarray, "n quantity"]
#: Values and errors.
Measured = tuple[Quantities, Quantities]


def learn_all(
    survey: Path, table: Table, part: np.ndarray, model: Path, test: np.ndarray
) -> dict[str, Columns]:
    """Train the networks of `photometry` on the true redshifts of all training galaxies.

    Parameters
    ----------
    survey : Path
        Of the mock.
    table : Table
        Its catalogue.
    part : ndarray of str of shape (n,)
        Of the split that each galaxy belongs to.
    model : Path
        Trained on the images: says how they are prepared, and which part of them networks see.
    test : ndarray of int
        Rows that are scored.

    Returns
    -------
    dict of str to mapping of str to ndarray
        By what the networks were told of each galaxy.
    """
    scored = {}
    for name, measured in _told(table, _apertures(survey, table["target_id"], model)).items():
        galaxies = _as_galaxies(table, measured)
        network, _ = train_photometry(
            galaxies.select(part == "train"), galaxies.select(part == "validation"), config=CONFIG
        )
        asked = galaxies.select(test)
        scored[name] = redshift_columns(
            predict_galaxies(network, asked).densities, asked.redshift.astype(np.float64)
        )
    return scored


def _told(table: Table, apertures: Measured) -> dict[str, Measured]:
    fluxes = {
        kind: np.stack([table[f"flux_njy{kind}_{band}"] for band in BANDS], axis=1)
        for kind in ("", "_obs", "_err")
    }
    catalogue = fluxes["_obs"], fluxes["_err"]
    size = _known(_half_light_arcsec(table)[:, None])
    shapes = _known(np.stack([table[name] for name in SHAPES], axis=1))
    typical = np.broadcast_to(np.median(fluxes["_err"], axis=0), fluxes[""].shape)
    return {
        "fluxes of the catalogue": catalogue,
        "and the true half-light radius, arcsec": _beside(catalogue, size),
        "and the true shares, Sérsic indices and inclinations": _beside(catalogue, size, shapes),
        "fluxes in apertures of the images": apertures,
        "and the true radius, shares, Sérsic indices and inclinations": _beside(apertures, size, shapes),
        "fluxes without noise": (fluxes[""], typical),
    }


def _known(values: Quantities) -> Measured:
    """Known to a tenth of their median: networks see the logarithm of what is far above its error."""
    return values, np.broadcast_to(0.1 * np.median(values, axis=0), values.shape)


def _beside(*parts: Measured) -> Measured:
    values, errors = (np.hstack(kind) for kind in zip(*parts, strict=True))
    return values, errors


def _half_light_arcsec(table: Table) -> np.ndarray:
    scale = np.array([kpc_per_arcsec(float(redshift)) for redshift in table["redshift"]])
    return np.asarray(table["half_light_radius_kpc"] / scale)


def _apertures(survey: Path, ids: np.ndarray, model: Path) -> Measured:
    """Fluxes over their noise, in all apertures and bands, of each galaxy's image."""
    trained = load_model(model, of=ImageRedshiftModel)
    features = jax.jit(jax.vmap(lambda image: aperture_features(trained.crops.middle(image))))
    snr = np.empty((len(ids), len(RADII) * len(BANDS)), np.float32)
    rejects = Rejects()
    done = 0
    for chunk in prepared_chunks(open_images(survey), trained.form.preparation, rejects=rejects, batch=READ):
        snr[rows_of_ids(chunk.ids, ids)] = np.sinh(features(chunk.images)[:, : snr.shape[1]])
        done += len(chunk.ids)
    if done != len(ids):
        raise ValueError(f"{survey} has {done:,} good images of {len(ids):,} galaxies: make it anew")
    return snr, np.ones_like(snr)


def _as_galaxies(table: Table, measured: Measured) -> PhotometricGalaxies:
    """Every quantity as if it were the flux in a band."""
    values, errors = (array.astype(np.float32) for array in measured)
    redshift = table["redshift"].astype(np.float32)
    return PhotometricGalaxies(
        ids=table["target_id"],
        bands=tuple(str(place) for place in range(values.shape[1])),
        flux_njy=values,
        flux_err_njy=errors,
        redshift=redshift,
        redshift_err=np.zeros_like(redshift),
        ebv=None,
        name="mock",
    )
