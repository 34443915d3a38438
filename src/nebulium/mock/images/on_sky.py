"""A galaxy as it lies on the sky: angles instead of kiloparsecs, and the places of its arms and clumps."""

from dataclasses import dataclass

import jax
import numpy as np

from nebulium.errors import ImageError
from nebulium.mock.images.point_spread import ARCSEC_PER_RADIAN
from nebulium.mock.structure import Structure
from nebulium.sed.cosmology import luminosity_distance_mpc

KNOTS_PER_ARM = 32
OLD_OVER_YOUNG_IN_ARMS = 0.35  # arms are in the old disc too, with so much less of its light
ARM_FWHM = 0.3  # across an arm, in half-light radii of the young stars
HALF_LIGHT_SCALE_LENGTHS = 1.6783469900166605  # half-light radius of an exponential disc over its scale
_distance_mpc = jax.jit(luminosity_distance_mpc)

# Growth of the light of an exponential disc with radius in scale lengths, to find the radius of a share of
# it.
_RADII = np.linspace(0.0, 12.0, 481)
_GROWTH = -np.expm1(-_RADII) - _RADII * np.exp(-_RADII)


@dataclass(frozen=True)
class Points:
    """Light in many like Gaussians.

    Parameters
    ----------
    x_arcsec, y_arcsec : array (point,)
        Offsets from the galaxy's centre, along columns and rows.
    share : array (point,)
        Of the light of them all; sums to 1.
    fwhm_arcsec : float
        Of each Gaussian along its major axis.
    axis_ratio : float
    position_angle_rad : float
    """

    x_arcsec: np.ndarray
    y_arcsec: np.ndarray
    share: np.ndarray
    fwhm_arcsec: float
    axis_ratio: float
    position_angle_rad: float


@dataclass(frozen=True)
class GalaxyOnSky:
    """All that an image of a galaxy needs besides its fluxes, in plain numbers.

    Parameters
    ----------
    bulge_re_arcsec : float
        Half-light radius along the major axis.
    bulge_sersic_n, bulge_axis_ratio : float
    disc_re_arcsec, young_re_arcsec : float
        Half-light radii seen face on.
    inclination_rad : float
        0 face on.
    thickness : float
        Scale height over scale length of both discs.
    position_angle_rad : float
        From the x axis towards y.
    young_in_arms, young_in_clumps, old_in_arms : float
        Shares of the light of young stars and of the old disc; the rest is smooth.
    arms, clumps : Points
    """

    bulge_re_arcsec: float
    bulge_sersic_n: float
    bulge_axis_ratio: float
    disc_re_arcsec: float
    young_re_arcsec: float
    inclination_rad: float
    thickness: float
    position_angle_rad: float
    young_in_arms: float
    young_in_clumps: float
    old_in_arms: float
    arms: Points
    clumps: Points


def kpc_per_arcsec(redshift: float) -> float:
    """Proper length across one arcsecond."""
    return float(_distance_mpc(np.float32(redshift))) * 1e3 / (1.0 + redshift) ** 2 / ARCSEC_PER_RADIAN


def on_sky(structure: Structure, redshift: float) -> GalaxyOnSky:
    """Put a galaxy at its redshift and work out where its arms and clumps lie."""
    if not redshift > 0:
        raise ImageError(
            "redshift",
            f"is {redshift:g}; a galaxy has an angular size only above 0",
            "give a redshift of 0.001 or more",
        )
    scale = kpc_per_arcsec(redshift)
    plain = {name: float(value) for name, value in vars(structure).items()}
    rng = np.random.default_rng(int(structure.pattern_seed))
    disc = _Plane(
        scale_length=plain["young_re_kpc"] / scale / HALF_LIGHT_SCALE_LENGTHS,
        cos_inclination=min(plain["cos_inclination"], 1.0),
        thickness=plain["disc_thickness"],
        position_angle_rad=plain["position_angle_rad"],
    )
    spiral = _Spiral(
        int(structure.n_arms),
        float(np.tan(plain["pitch_angle_rad"])),
        plain["arm_phase_rad"],
        rng.choice((-1.0, 1.0)),
    )
    return GalaxyOnSky(
        bulge_re_arcsec=plain["bulge_re_kpc"] / scale,
        bulge_sersic_n=plain["bulge_sersic_n"],
        bulge_axis_ratio=min(plain["bulge_axis_ratio"], 1.0),
        disc_re_arcsec=plain["disc_re_kpc"] / scale,
        young_re_arcsec=plain["young_re_kpc"] / scale,
        inclination_rad=float(np.arccos(disc.cos_inclination)),
        thickness=disc.thickness,
        position_angle_rad=disc.position_angle_rad,
        young_in_arms=(1.0 - plain["clump_share"]) * plain["arm_contrast"],
        young_in_clumps=plain["clump_share"],
        old_in_arms=OLD_OVER_YOUNG_IN_ARMS * plain["arm_contrast"],
        arms=_arms(spiral, disc, rng),
        clumps=_clumps(spiral, disc, structure, plain["clump_fwhm_kpc"] / scale, rng),
    )


@dataclass(frozen=True)
class _Plane:
    """The plane of the disc on the sky; lengths in arcsec."""

    scale_length: float
    cos_inclination: float
    thickness: float
    position_angle_rad: float

    @property
    def flattening(self) -> float:
        """Axis ratio of a thing as round as the disc is thin."""
        return float(np.hypot(self.cos_inclination, self.thickness * np.sqrt(1.0 - self.cos_inclination**2)))

    def project(
        self, radius: np.ndarray, angle: np.ndarray, height: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Offsets on the sky of places given in scale lengths."""
        along = radius * np.cos(angle)
        across = radius * np.sin(angle) * self.cos_inclination + height * np.sqrt(
            1.0 - self.cos_inclination**2
        )
        cos, sin = np.cos(self.position_angle_rad), np.sin(self.position_angle_rad)
        return self.scale_length * (cos * along - sin * across), self.scale_length * (
            sin * along + cos * across
        )


@dataclass(frozen=True)
class _Spiral:
    """Logarithmic spiral arms."""

    number: int
    tan_pitch: float
    phase: float
    sense: float

    def angle(self, radius: np.ndarray, arm: np.ndarray) -> np.ndarray:
        """Angle in the plane at which an arm passes a radius, in scale lengths."""
        return self.phase + 2.0 * np.pi * arm / self.number + self.sense * np.log(radius) / self.tan_pitch


def _radius_of_share(share: np.ndarray) -> np.ndarray:
    return np.interp(share, _GROWTH, _RADII)


def _arms(spiral: _Spiral, disc: _Plane, rng: np.random.Generator) -> Points:
    arm = np.repeat(np.arange(spiral.number), KNOTS_PER_ARM)
    # Arms start outside the bulge and hold the light of the disc from there on.
    quantile = 0.1 + 0.88 * (np.tile(np.arange(KNOTS_PER_ARM), spiral.number) + 0.5) / KNOTS_PER_ARM
    radius = _radius_of_share(quantile)
    angle = spiral.angle(radius, arm) + rng.normal(0.0, 0.1, arm.size)
    light = rng.lognormal(0.0, 0.5, arm.size)
    x, y = disc.project(radius, angle, np.zeros(arm.size))
    fwhm = ARM_FWHM * HALF_LIGHT_SCALE_LENGTHS * disc.scale_length
    return Points(x, y, light / light.sum(), fwhm, disc.flattening, disc.position_angle_rad)


def _clumps(
    spiral: _Spiral, disc: _Plane, structure: Structure, fwhm_arcsec: float, rng: np.random.Generator
) -> Points:
    number = int(structure.n_clumps)
    radius = _radius_of_share(rng.uniform(0.05, 0.93, number))
    on_arm = spiral.angle(radius, rng.integers(0, spiral.number, number)) + rng.normal(0.0, 0.2, number)
    anywhere = rng.uniform(0.0, 2.0 * np.pi, number)
    angle = np.where(rng.uniform(size=number) < float(structure.arm_contrast), on_arm, anywhere)
    height = rng.normal(0.0, disc.thickness, number)
    light = rng.lognormal(0.0, 0.8, number)
    x, y = disc.project(radius, angle, height)
    return Points(x, y, light / light.sum(), fwhm_arcsec, 1.0, 0.0)
