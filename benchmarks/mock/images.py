"""The images of `nebulium.mock` against GalSim, their own fluxes, published sizes and real JPEGs."""

import dataclasses
import io
import json
import subprocess
import sys
import tempfile
import time
import zipfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from benchmarks.results import CHECK_COLUMNS, Check, Result, Target
from benchmarks.settings import Settings, data_folder, save_figure
from nebulium.metrics.probabilistic import Estimate
from nebulium.mock.galaxies import half_light_radius_kpc
from nebulium.mock.images.colour import petrosian_cutout
from nebulium.mock.images.noiseless import Neighbour, noiseless_image
from nebulium.mock.images.on_sky import kpc_per_arcsec, on_sky
from nebulium.mock.images.point_spread import blur_sigma_arcsec, lam_over_diam_arcsec
from nebulium.mock.instruments import INSTRUMENTS, Band, Instrument, Moffat, instrument
from nebulium.mock.light import Light, make_light_model
from nebulium.mock.populations.properties import GalaxyProperties
from nebulium.mock.populations.relations import main_sequence, main_sequence_speagle14
from nebulium.mock.populations.sdss import history_of_rate, sdss_population
from nebulium.mock.populations.size_relations import shen_2003, van_der_wel_2014
from nebulium.mock.structure import Structure, draw_structure
from nebulium.sed import age_gyr, load_filters

SEED = 5
SCENES = 6  # for each instrument; every other one has a neighbour
IN_BIN = 48
LATE_LOG_MASSES, EARLY_LOG_MASSES = (9.75, 10.25, 10.75, 11.0), (10.5, 10.75, 11.25)
LOCAL_REDSHIFT, DISTANT_REDSHIFTS = 0.08, (0.75, 1.25, 1.75, 2.25, 2.75)
QUIESCENT_LOG_SSFR = -12.0
MOST_DEX, MOST_OF_PEAK, MOST_FLUX, LEAST_RATE = 0.1, 1e-3, 0.01, 60.0
TIMED_IMAGES = 300
DRAWN, SHOWN_ROWS, SHOWN_COLUMNS = 2000, 4, 10
# So sharp that its width does not matter to the sizes of nearby galaxies.
_SHARP = Instrument(
    "sharp", "to measure sizes", (Band("i", "sdss_i0", 7489.0, 0.3, 22.5, 30.0, 1.0),), 0.15, 512, Moffat(3.0)
)


def measure(settings: Settings) -> list[Result]:
    """Agreement with GalSim, flux in apertures, speed; size and mass; colour images beside real ones."""
    return [_against_galsim(), _sizes(), _colour_images()]


def rows_of(tree: Any, count: int) -> list[Any]:
    """One tree of numbers for each galaxy of a tree of arrays."""
    plain = jax.tree.map(np.asarray, tree)
    return [jax.tree.map(lambda column, place=place: column[place], plain) for place in range(count)]


def _simple_galaxies(count: int, redshift: np.ndarray, rng: np.random.Generator) -> list[Structure]:
    """Galaxies of all sorts, late and early."""
    tau = rng.choice([0.4, 2.0, 8.0], count)
    columns = (redshift, rng.uniform(9.0, 11.5, count), np.full(count, 3.0), tau, np.full(count, 0.5))
    properties = GalaxyProperties(*columns, oh12=np.full(count, 8.6), lgmet=np.full(count, -1.8))
    keys = jax.random.split(jax.random.key(SEED), count)
    return rows_of(jax.jit(jax.vmap(draw_structure))(properties, keys), count)


def _redshifts(seen_by: Instrument, count: int, rng: np.random.Generator) -> np.ndarray:
    distant = seen_by.name in ("candels", "roman")
    return rng.uniform(0.3, 2.5, count) if distant else rng.uniform(0.02, 0.2, count)


def _against_galsim() -> Result:
    rng = np.random.default_rng(SEED)
    scenes, images, lost = [], [], {}
    for seen_by in INSTRUMENTS.values():
        redshift = _redshifts(seen_by, SCENES, rng)
        galaxies = _simple_galaxies(SCENES, redshift, rng)
        flux = rng.uniform(100.0, 1000.0, (SCENES, 3, len(seen_by.bands)))
        one = [Neighbour(*row, 0.0, 0.0) for row in zip(galaxies, flux, redshift, strict=True)]
        for place in range(SCENES):
            offset = (3.5 * seen_by.pixel_scale_arcsec, -11.0 * seen_by.pixel_scale_arcsec)
            beside = (
                [dataclasses.replace(one[place - 1], x_arcsec=offset[0], y_arcsec=offset[1])]
                if place % 2
                else []
            )
            images.append(_drawn(one[place], seen_by, neighbours=beside))
            scenes.append(scene(seen_by, [one[place], *beside]))
        lost[seen_by.name] = max(_aperture_error(galaxy, seen_by) for galaxy in one)
    exact = drawn_by_galsim(scenes)
    errors = [
        np.max(np.abs(mine - theirs) / theirs.max((0, 1))) for mine, theirs in zip(images, exact, strict=True)
    ]
    checks = [
        Check(f"{name}: largest difference over the peak", float(max(found)), Target(most=MOST_OF_PEAK))
        for name, found in zip(INSTRUMENTS, np.reshape(errors, (-1, SCENES)), strict=True)
    ]
    checks += [
        Check(f"{name}: flux missing in a large aperture", value, Target(most=MOST_FLUX))
        for name, value in lost.items()
    ]
    checks.append(
        Check("four-band CANDELS images a second, two processes", _rate(), Target(least=LEAST_RATE))
    )
    return Result(
        "mock/images",
        "Images of mock galaxies",
        f"{SCENES} galaxies of all types for each instrument, in all its bands, half of them with an "
        "overlapping neighbour, against a script of GalSim's own profiles that imports nothing of nebulium. "
        "The aperture is a circle of 24 half-light radii, 100 to 700 pixels; its flux is compared with that "
        "asked for.",
        CHECK_COLUMNS,
        [check.row for check in checks],
    )


def _drawn(galaxy: Neighbour, seen_by: Instrument, **options: Any) -> np.ndarray:
    return noiseless_image(galaxy.structure, galaxy.flux_njy, galaxy.redshift, seen_by, **options)


def scene(seen_by: Instrument, galaxies: list[Neighbour]) -> dict[str, Any]:
    """All that another program needs to draw the same image, in plain numbers."""
    units = np.array([band.units_per_njy for band in seen_by.bands])
    return {
        "pixels": seen_by.stamp_pixels,
        "pixel_scale_arcsec": seen_by.pixel_scale_arcsec,
        "point_spreads": [_spread(seen_by, band) for band in seen_by.bands],
        "galaxies": [
            {
                "flux": one.flux_njy * units,
                "on_sky": dataclasses.asdict(on_sky(one.structure, one.redshift)),
                "x_arcsec": one.x_arcsec,
                "y_arcsec": one.y_arcsec,
            }
            for one in galaxies
        ],
    }


def _spread(seen_by: Instrument, band: Band) -> dict[str, float]:
    if isinstance(seen_by.psf, Moffat):
        return {"moffat_beta": seen_by.psf.beta, "fwhm_arcsec": band.psf_fwhm_arcsec}
    return {
        "lam_over_diam_arcsec": lam_over_diam_arcsec(seen_by.psf, band),
        "obscuration": seen_by.psf.obscuration,
        "blur_sigma_arcsec": blur_sigma_arcsec(seen_by.psf, band),
        "pixel_arcsec": 0.0 if seen_by.width_holds_pixel else seen_by.pixel_scale_arcsec,
    }


def drawn_by_galsim(scenes: list[dict[str, Any]]) -> list[np.ndarray]:
    """The images of `galsim_alone.py`."""
    with tempfile.TemporaryDirectory() as folder:
        asked, drawn = Path(folder) / "scenes.json", Path(folder) / "images.npz"
        asked.write_text(json.dumps(scenes, default=np.ndarray.tolist), encoding="utf-8")
        script = Path(__file__).parent / "galsim_alone.py"
        subprocess.run([sys.executable, str(script), str(asked), str(drawn)], check=True)
        with np.load(drawn) as images:
            return [images[f"arr_{place}"] for place in range(len(scenes))]


def _aperture_error(galaxy: Neighbour, seen_by: Instrument) -> float:
    sky = on_sky(galaxy.structure, galaxy.redshift)
    size = max(sky.disc_re_arcsec, sky.young_re_arcsec, sky.bulge_re_arcsec) / seen_by.pixel_scale_arcsec
    radius = int(min(max(24.0 * size, 100.0), 700.0))
    image = _drawn(galaxy, seen_by, pixels=2 * radius)
    rows = np.arange(2 * radius) - radius + 0.5
    inside = np.hypot(rows[:, None], rows[None, :]) < radius
    asked = galaxy.flux_njy.sum(axis=0) * np.array([band.units_per_njy for band in seen_by.bands])
    return float(np.max(np.abs(image[inside].sum(axis=0) / asked - 1.0)))


def _rate() -> float:
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        return sum(pool.map(_images_a_second, range(2)))


def _images_a_second(seed: int) -> float:
    rng = np.random.default_rng(seed)
    seen_by = instrument("candels")
    redshift = _redshifts(seen_by, TIMED_IMAGES, rng)
    galaxies = _simple_galaxies(TIMED_IMAGES, redshift, rng)
    flux = np.full((3, 4), 100.0)
    # Once before the clock runs, as what is worked out once is kept.
    noiseless_image(galaxies[0], flux, 1.0, seen_by)
    start = time.perf_counter()
    for structure, z in zip(galaxies, redshift, strict=True):
        noiseless_image(structure, flux, z, seen_by)
    return TIMED_IMAGES / (time.perf_counter() - start)


def _of_type(redshift: float, log_mstar: float, early: bool) -> GalaxyProperties:
    """Properties of a typical galaxy."""
    z, mass = jnp.float32(redshift), jnp.float32(log_mstar)
    log_sfr = main_sequence_speagle14(mass, age_gyr(z)) if redshift > 0.2 else main_sequence(mass, z)
    log_ssfr = jnp.float32(QUIESCENT_LOG_SSFR) if early else log_sfr - mass
    history = history_of_rate(log_ssfr, age_gyr(z), jnp.float32(0.5))
    return GalaxyProperties(z, mass, history.age_gyr, history.tau_gyr, 0.1 if early else 0.5, 8.7, -1.8)


def _sizes() -> Result:
    bins = [
        (z, mass, early)
        for z in (LOCAL_REDSHIFT, *DISTANT_REDSHIFTS)
        for early, masses in ((False, LATE_LOG_MASSES), (True, EARLY_LOG_MASSES))
        for mass in masses
    ]
    names = (*instrument("sdss").filters, *instrument("candels").filters)
    model = make_light_model(load_filters(*names))
    pivots = np.asarray(model.filters.pivot_aa)

    def made(properties: GalaxyProperties, key: jax.Array) -> tuple[Structure, Light]:
        structure = draw_structure(properties, key)
        return structure, model(properties, structure, jax.random.fold_in(key, 1))

    many = jax.jit(jax.vmap(made, in_axes=(None, 0)))
    radius = jax.jit(jax.vmap(half_light_radius_kpc))
    rows = []
    for place, (z, mass, early) in enumerate(bins):
        structures, light = many(
            _of_type(z, mass, early), jax.random.split(jax.random.key(SEED + place), IN_BIN)
        )
        if z == LOCAL_REDSHIFT:
            found = _circular_radii(structures, np.asarray(light.flux_njy)[..., 2], z)
            published = shen_2003(jnp.float32(mass), jnp.array(early))
        else:
            band = int(np.argmin(np.abs(np.log(pivots / (5000.0 * (1.0 + z))))))
            found = np.log10(np.asarray(radius(structures, light.flux_njy[..., band])))
            published = van_der_wel_2014(jnp.float32(mass), jnp.float32(z), jnp.array(early))
        kind = "early" if early else "late"
        check = Check(
            f"{kind} type, redshift {z:g}, log mass {mass:g}: median size less published, dex",
            Estimate(float(np.median(found) - published), 1.25 * float(np.std(found)) / IN_BIN**0.5),
            Target(-MOST_DEX, MOST_DEX),
        )
        source = "Shen et al. 2003" if z == LOCAL_REDSHIFT else "van der Wel et al. 2014"
        sizes = 10 ** np.median(found), 10 ** float(published)
        rows.append([kind, f"{z:g}", f"{mass:g}", *sizes, check, source])
    return Result(
        "mock/sizes",
        "Sizes of mock galaxies",
        f"Median half-light radius of {IN_BIN} galaxies a bin, of the light of all their components: in "
        "circular apertures on images in i, as Shen et al. measured in z; along the major axis in the band "
        "nearest 5000 AA in the rest frame, as van der Wel et al.",
        ("type", "redshift", "log mass", "size in kpc", "published", "difference in dex", "source"),
        rows,
    )


def _circular_radii(structures: Structure, flux: np.ndarray, redshift: float) -> np.ndarray:
    """log10 of the radius in kpc of the circle that holds half the light."""
    found = []
    for structure, light in zip(rows_of(structures, len(flux)), flux, strict=True):
        image = noiseless_image(structure, light[:, None], redshift, _SHARP)[..., 0]
        at = np.arange(_SHARP.stamp_pixels) - 0.5 * (_SHARP.stamp_pixels - 1)
        distance = np.hypot(at[:, None], at[None, :]).ravel()
        order = np.argsort(distance)
        growth = np.cumsum(image.ravel()[order]) / (light.sum() * _SHARP.bands[0].units_per_njy)
        found.append(
            np.interp(0.5, growth, distance[order]) * _SHARP.pixel_scale_arcsec * kpc_per_arcsec(redshift)
        )
    return np.log10(found)


def _colour_images() -> Result:
    mock, real = _mock_jpegs(), _real_jpegs()
    _figure(mock, real)
    rows = []
    for name, images in (("mock", mock), ("real", real)):
        for inner, outer in _RINGS:
            medians = np.median(_ring(images, inner, outer), axis=0)
            rows.append([name, f"{inner} to {outer}", *medians])
    middle = [_ring(images, 8, 20) for images in (mock, real)]
    colours = [np.median(ring[:, [0, 2]] / ring[:, [1]], axis=0) for ring in middle]
    brightness = [np.median(ring.mean(axis=1)) for ring in middle]
    grain = [np.median([image[_CORNER].std(axis=0).mean() for image in images]) for images in (mock, real)]
    (red, blue), bright = colours[0] / colours[1], brightness[0] / brightness[1]
    checks = [
        Check("red over green, mock over real", red, Target(0.9, 1.1)),
        Check("blue over green, mock over real", blue, Target(0.9, 1.1)),
        Check("brightness at 8 to 20 pixels, mock over real", bright, Target(0.8, 1.25)),
        Check("grain of the sky, mock over real", grain[0] / grain[1], Target(0.6, 1.6)),
    ]
    rows += [["checks", check.quantity, check, "", ""] for check in checks]
    return Result(
        "mock/jpegs",
        "Colour images beside SkyServer's",
        f"Medians of the 8-bit values in rings about the centre, of {len(real)} JPEGs of SDSS galaxies with "
        f"measured metallicity and of {len(mock)} star-forming galaxies of the population sdss brighter than "
        "r = 17.77, all 128 pixels across five Petrosian R90. Level and softening of the mock's stretch were "
        "set on these same images, so the brightness is no test; colours are one, and the run with radius.",
        ("images", "radius in pixels", "red", "green", "blue"),
        rows,
    )


_RINGS = ((0, 3), (3, 8), (8, 14), (14, 20), (20, 28), (28, 36), (58, 64))
_AT = np.arange(128) - 63.5
_DISTANCE = np.hypot(_AT[:, None], _AT[None, :])
_CORNER = (slice(0, 20), slice(0, 20))


def _ring(images: np.ndarray, inner: float, outer: float) -> np.ndarray:
    return images[:, (inner <= _DISTANCE) & (outer > _DISTANCE)].mean(axis=1)


def _mock_jpegs() -> np.ndarray:
    seen_by, population = instrument("sdss"), sdss_population()
    model = make_light_model(load_filters(*seen_by.filters))

    def made(key: jax.Array) -> tuple[GalaxyProperties, Structure, Light]:
        keys = jax.random.split(key, 3)
        properties = population.draw(keys[0])
        structure = draw_structure(properties, keys[1])
        return properties, structure, model(properties, structure, keys[2])

    properties, structures, light = jax.jit(jax.vmap(made))(jax.random.split(jax.random.key(SEED), DRAWN))
    bright = np.asarray(light.mag_ab[:, 1]) < 17.77
    forming = np.asarray(light.log_sfr - properties.log_mstar) > -11.0
    rows, flux = rows_of(structures, DRAWN), np.asarray(light.flux_njy)
    rng = np.random.default_rng(SEED)
    chosen = np.flatnonzero(bright & forming)
    return np.stack([petrosian_cutout(rows[i], flux[i], float(properties.redshift[i]), rng) for i in chosen])


def _real_jpegs() -> np.ndarray:
    with zipfile.ZipFile(data_folder() / "sdss" / "sdss_gri_jpg_128.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".jpg"))
        return np.stack(
            [np.asarray(Image.open(io.BytesIO(archive.read(name))).convert("RGB")) for name in names]
        )


def _figure(mock: np.ndarray, real: np.ndarray) -> None:
    shown = SHOWN_ROWS * SHOWN_COLUMNS
    figure, axes = plt.subplots(2, 1, figsize=(10, 8.4), layout="constrained")
    for axis, images, title in zip(axes, (mock, real), ("Mock", "SkyServer"), strict=True):
        tiles = images[:shown].reshape(SHOWN_ROWS, SHOWN_COLUMNS, 128, 128, 3)
        axis.imshow(tiles.transpose(0, 2, 1, 3, 4).reshape(SHOWN_ROWS * 128, SHOWN_COLUMNS * 128, 3))
        axis.set_title(title, loc="left")
        axis.set_axis_off()
    save_figure(figure, "mock/sdss_jpegs")
