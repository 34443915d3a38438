"""Draws galaxies that are described in plain numbers, with GalSim and nothing of nebulium.

``python benchmarks/mock/galsim_alone.py galaxies.json images.npz`` judges images that nebulium draws.
"""

import json
import sys

import galsim
import numpy as np

# Tighter than GalSim's defaults, which alone would differ by as much as is judged.
EXACT = galsim.GSParams(maxk_threshold=1e-4, kvalue_accuracy=1e-5, maximum_fft_size=16384)


def draw(scene: dict) -> np.ndarray:
    """Image (row, column, band) of one scene."""
    bands = []
    for place, point_spread in enumerate(scene["point_spreads"]):
        image = galsim.ImageD(scene["pixels"], scene["pixels"], scale=scene["pixel_scale_arcsec"])
        for galaxy in scene["galaxies"]:
            for part in profiles(galaxy, place):
                seen = galsim.Convolve(part, spread(point_spread), gsparams=EXACT)
                seen.drawImage(image=image, method="no_pixel", add_to_image=True)
        bands.append(image.array)
    return np.stack(bands, axis=-1)


def spread(description: dict) -> galsim.GSObject:
    """A point-spread function."""
    parts = []
    if "moffat_beta" in description:
        parts.append(galsim.Moffat(beta=description["moffat_beta"], fwhm=description["fwhm_arcsec"]))
    else:
        parts.append(
            galsim.Airy(
                lam_over_diam=description["lam_over_diam_arcsec"], obscuration=description["obscuration"]
            )
        )
    if description.get("blur_sigma_arcsec"):
        parts.append(galsim.Gaussian(sigma=description["blur_sigma_arcsec"]))
    if description.get("pixel_arcsec"):
        parts.append(galsim.Pixel(description["pixel_arcsec"]))
    return galsim.Convolve(parts)


def profiles(galaxy: dict, band: int) -> list[galsim.GSObject]:
    """Everything a galaxy consists of, with its flux in one band."""
    bulge_flux, disc_flux, young_flux = (component[band] for component in galaxy["flux"])
    sky = galaxy["on_sky"]
    turn = sky["position_angle_rad"] * galsim.radians
    q = sky["bulge_axis_ratio"]
    bulge = galsim.Sersic(
        sky["bulge_sersic_n"], half_light_radius=sky["bulge_re_arcsec"] * q**0.5, flux=bulge_flux
    ).shear(q=q, beta=turn)
    smooth_young = 1.0 - sky["young_in_arms"] - sky["young_in_clumps"]
    in_arms = young_flux * sky["young_in_arms"] + disc_flux * sky["old_in_arms"]
    parts = [
        bulge,
        disc(sky, sky["disc_re_arcsec"], disc_flux * (1.0 - sky["old_in_arms"])),
        disc(sky, sky["young_re_arcsec"], young_flux * smooth_young),
        blobs(sky["arms"], in_arms),
        blobs(sky["clumps"], young_flux * sky["young_in_clumps"]),
    ]
    return [part.shift(galaxy["x_arcsec"], galaxy["y_arcsec"]) for part in parts]


def blobs(points: dict, flux: float) -> galsim.GSObject:
    """Arms or clumps: many like Gaussians."""
    # Shearing keeps the area, so the circle to start from has the geometric mean of the axes.
    circle = galsim.Gaussian(fwhm=points["fwhm_arcsec"] * points["axis_ratio"] ** 0.5)
    blob = circle.shear(q=points["axis_ratio"], beta=points["position_angle_rad"] * galsim.radians)
    places = zip(points["x_arcsec"], points["y_arcsec"], points["share"], strict=True)
    return galsim.Add([(blob * (flux * share)).shift(x, y) for x, y, share in places])


def disc(sky: dict, half_light_arcsec: float, flux: float) -> galsim.GSObject:
    """An inclined disc."""
    profile = galsim.InclinedExponential(
        sky["inclination_rad"] * galsim.radians,
        half_light_radius=half_light_arcsec,
        scale_h_over_r=sky["thickness"],
        flux=flux,
    )
    return profile.rotate(sky["position_angle_rad"] * galsim.radians)


def main(arguments: list[str]) -> None:
    """Draw every scene of a file into another."""
    with open(arguments[0], encoding="utf-8") as file:  # noqa: PTH123
        scenes = json.load(file)
    np.savez(arguments[1], *[draw(scene) for scene in scenes])


if __name__ == "__main__":
    main(sys.argv[1:])
