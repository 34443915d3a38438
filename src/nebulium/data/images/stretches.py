"""Brightness brought to a range that a network can work with, and back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Float, Num, UInt8

from nebulium.data.images.sizes import border_pixels
from nebulium.errors import ImageError

Kind = Literal["display", "asinh", "none"]
KINDS: tuple[Kind, ...] = get_args(Kind)
#: Unit of images whose pixels are colours from 0 to 255.
DISPLAY_UNIT = "display"
#: The border that counts as sky, as a share of the side.
BORDER_SHARE = 16
#: Weights of i, r and g, shown as red, green and blue, in the code that made SDSS's colour images: Lupton et
#: al. 2004, PASP 116, 133; idlutils, nw_scale_rgb.
SDSS_SCALES = (4.9, 5.7, 7.8)
#: Level and softening: those at which mock galaxies have the profiles of brightness of 400 real JPEGs of
#: SkyServer.
SDSS_STRETCH, SDSS_SOFTENING = 0.34, 2.36
#: Noise of the sky in colour pictures of any bands, where 1 is white, and their softening: what is a hundred
#: times as bright as the noise is then nearly white.
SKY_SHOWN, SOFTENING_SHOWN = 0.12, 1.5
#: Of a picture, where the light of a galaxy sits.
CORE = 0.25
#: Of the median absolute deviation to the standard deviation of a Gaussian.
MAD_TO_SIGMA = 1.4826


@dataclass(frozen=True)
class Stretch:
    """How pixels are scaled before a network sees them.

    Parameters
    ----------
    kind : str
        "display" turns colours from 0 to 255 into 0 to 1; "asinh" is arcsinh(flux / softening), linear in the
        noise and logarithmic in the light (Lupton et al. 1999, AJ 118, 1406); "none" leaves pixels as they
        are.
    softening : tuple of float
        One a band, in the unit of the image; for "asinh" only. `measure_softening` gives the noise of the
        sky.

    Raises
    ------
    ImageError
        The kind is not known, or the softening does not suit it.

    Examples
    --------
    >>> stretch = Stretch("asinh", (0.1,))
    >>> stretch.apply(np.array([[[0.0], [0.1]]])).ravel().round(3)
    array([0.   , 0.881], dtype=float32)
    """

    kind: Kind
    softening: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ImageError("stretch", f"{self.kind!r} is not known", f"choose one of {', '.join(KINDS)}")
        good = all(np.isfinite(value) and value > 0 for value in self.softening)
        if not good or (self.kind == "asinh") != bool(self.softening):
            problem = f"{self.kind} cannot have the softening {self.softening}"
            raise ImageError("stretch", problem, "give asinh a positive number a band, the others none")

    def apply(self, pixels: Num[np.ndarray, "*shape band"]) -> Float[np.ndarray, "*shape band"]:
        """Scale pixels.

        Parameters
        ----------
        pixels : ndarray of shape (..., band)
            In the unit of the image.

        Returns
        -------
        ndarray of shape (..., band), float32

        Raises
        ------
        ImageError
            The softening is for another number of bands.

        Examples
        --------
        >>> Stretch("display").apply(np.array([[0, 255]], np.uint8)).tolist()
        [[0.0, 1.0]]
        """
        values = pixels.astype(np.float32)
        if self.kind == "display":
            return values / np.float32(255.0)
        return np.arcsinh(values / self._softening(values)) if self.kind == "asinh" else values

    def invert(self, values: Float[np.ndarray, "*shape band"]) -> Float[np.ndarray, "*shape band"]:
        """Undo `apply`.

        Parameters
        ----------
        values : ndarray of shape (..., band)
            As `apply` gives them.

        Returns
        -------
        ndarray of shape (..., band), float32
            In the unit of the image.

        Raises
        ------
        ImageError
            The softening is for another number of bands.

        Examples
        --------
        >>> stretch = Stretch("asinh", (0.5,))
        >>> stretch.invert(stretch.apply(np.array([[3.0]]))).round(3).tolist()
        [[3.0]]
        """
        values = values.astype(np.float32)
        if self.kind == "display":
            return values * np.float32(255.0)
        return np.sinh(values) * self._softening(values) if self.kind == "asinh" else values

    def check(self, unit: str, bands: tuple[str, ...], where: str) -> None:
        """Refuse images that this stretch is not for.

        Parameters
        ----------
        unit : str
            Of the images; "display" for colours.
        bands : tuple of str
            Of the images.
        where : str
            The images, for the message.

        Raises
        ------
        ImageError
            They are colours and the stretch is for fluxes, or the other way round, or the bands are more or
            fewer than the softening has numbers.

        Examples
        --------
        >>> Stretch("display").check("nJy", ("g", "r"), "cutouts")
        Traceback (most recent call last):
        nebulium.errors.ImageError: cutouts: expected colours from 0 to 255, found pixels in nJy. To mend: ...
        """
        if self.kind == "display" and unit != DISPLAY_UNIT:
            problem = f"expected colours from 0 to 255, found pixels in {unit or 'an unknown unit'}"
            mend = "give colours (JPG, PNG, or uint8 from 0 to 255), or train a model on such images"
            raise ImageError(where, problem, mend)
        if self.kind == "asinh" and unit == DISPLAY_UNIT:
            problem = "expected fluxes for the stretch asinh, found colours from 0 to 255"
            raise ImageError(where, problem, "give images with fluxes, or train a model on such images")
        if self.kind == "asinh" and len(self.softening) != len(bands):
            raise _other_bands(where, len(bands), self.softening)

    def as_dict(self) -> dict[str, Any]:
        """For JSON.

        Returns
        -------
        dict

        Examples
        --------
        >>> Stretch("asinh", (0.5,)).as_dict()
        {'kind': 'asinh', 'softening': [0.5]}
        """
        return {"kind": self.kind, "softening": list(self.softening)}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "Stretch":
        """The inverse of `as_dict`.

        Parameters
        ----------
        content : mapping

        Returns
        -------
        Stretch

        Raises
        ------
        ImageError
            The content is of no stretch.

        Examples
        --------
        >>> Stretch.from_dict({"kind": "display", "softening": []})
        Stretch(kind='display', softening=())
        """
        if set(content) != {"kind", "softening"}:
            problem = f"expected the entries kind and softening, found {', '.join(map(str, content))}"
            raise ImageError("stretch", problem, "make or download the file again")
        return cls(content["kind"], tuple(float(value) for value in content["softening"]))

    def _softening(self, values: np.ndarray) -> Float[np.ndarray, "*ones band"]:
        """One number a band, with the rank of the pixels."""
        if values.shape[-1] != len(self.softening):
            raise _other_bands("images", values.shape[-1], self.softening)
        softening = np.array(self.softening, np.float32)
        return softening.reshape((1,) * (values.ndim - 1) + (-1,))


def measure_softening(
    images: Num[np.ndarray, "n height width band"] | Sequence[Num[np.ndarray, "_ _ band"]],
) -> tuple[float, ...]:
    """Noise of the sky, band by band: 1.4826 times the median absolute deviation along the borders."""
    if not len(images):
        raise ImageError("images", "there are none to measure the sky of", "give at least one")
    sigma = np.median([sky_and_noise(image)[1] for image in images], axis=0)
    if not np.all(np.isfinite(sigma) & (sigma > 0)):
        problem = f"the borders have a scatter of {sigma.tolist()}, expected noise in every band"
        raise ImageError("images", problem, "give the softening by hand, or larger cutouts")
    return tuple(float(value) for value in sigma)


def lupton_rgb(
    image: np.ndarray,
    scales: tuple[float, float, float] = SDSS_SCALES,
    stretch: float = SDSS_STRETCH,
    softening: float = SDSS_SOFTENING,
) -> np.ndarray:
    """Colour image by Lupton et al. 2004, as SkyServer makes them of g, r and i.

    With I the sum of the scaled bands, each becomes asinh(softening I) / (softening I) of itself: colours
    stay, and a pixel brighter than white keeps its hue. Negative bands are black.

    Parameters
    ----------
    image : array (row, column, 3)
        From blue to red: g, r, i of SDSS in nanomaggies a pixel.
    scales : tuple of float, optional
        Weights of red, green and blue; SDSS's unless given.
    stretch : float, optional
        Factor to all three.
    softening : float, optional
        Where, in 1 / I, brightness turns from linear to logarithmic.

    Returns
    -------
    array (row, column, 3), uint8
        Red, green, blue.

    Raises
    ------
    ImageError
        The image has not three bands.

    Examples
    --------
    >>> lupton_rgb(np.zeros((2, 2, 3))).max()
    np.uint8(0)
    """
    if image.ndim != 3 or image.shape[-1] != 3:
        raise ImageError("image", f"has shape {image.shape}; expected (row, column, 3)", "choose three bands")
    colours = np.maximum(stretch * image[..., ::-1] * np.array(scales), 0.0)
    total = softening * colours.sum(axis=-1, keepdims=True)
    colours = colours * np.where(total > 0, np.arcsinh(total) / np.where(total > 0, total, 1.0), 1.0)
    # Past white all three are lowered alike, so that bright centres keep their colour.
    colours = colours / np.maximum(colours.max(axis=-1, keepdims=True), 1.0)
    return np.round(255.0 * colours).astype(np.uint8)


def core_light(flux: Float[np.ndarray, "n height width band"]) -> Float[np.ndarray, "n band"]:
    """Mean flux of the pixels in the middle of each image."""
    edge = int(0.5 * (1 - CORE) * flux.shape[1])
    return flux[:, edge : flux.shape[1] - edge, edge : flux.shape[2] - edge].mean(axis=(1, 2))


def scaled_colours(
    flux: Float[np.ndarray, "n height width band"],
    typical: Float[np.ndarray, " band"],
    noise: Sequence[float],
) -> UInt8[np.ndarray, "n height width 3"]:
    """Images as colours, all on one scale, from the core of a typical galaxy and the noise of the sky.

    The first band, that in the middle and the last one become blue, green and red. Each is scaled so that the
    typical galaxy is white; the level is set by the noise (Lupton et al. 2004, PASP 116, 133).
    """
    last = flux.shape[-1] - 1
    chosen = [0, last // 2, last]
    sky = np.asarray(noise, np.float64)[chosen]
    # A band in which the typical galaxy is not seen is scaled by its noise.
    white = np.where(typical[chosen] > 0, typical[chosen], sky)
    level = SKY_SHOWN / np.exp(np.mean(np.log(sky / white)))
    blue, green, red = level / white
    shown = np.asarray(flux, np.float64)[..., chosen]
    pictures = [lupton_rgb(one, (red, green, blue), stretch=1.0, softening=SOFTENING_SHOWN) for one in shown]
    return np.stack(pictures) if pictures else np.zeros((*flux.shape[:3], 3), np.uint8)


def sky_and_noise(
    image: Num[np.ndarray, "height width band"],
) -> tuple[Float[np.ndarray, " band"], Float[np.ndarray, " band"]]:
    """Median and robust standard deviation along the border; 0 and NaN where it has no good pixel."""
    border = border_pixels(image, max(1, min(image.shape[:2]) // BORDER_SHARE))
    values = np.ma.masked_invalid(border.astype(np.float64))
    sky = np.ma.median(values, axis=0)
    deviation = MAD_TO_SIGMA * np.ma.median(np.ma.abs(values - sky[None]), axis=0)
    return np.ma.filled(sky, 0.0), np.ma.filled(deviation, np.nan)


def _other_bands(where: str, found: int, softening: tuple[float, ...]) -> ImageError:
    problem = f"expected {len(softening)} bands, as many as the softening has, found {found}"
    return ImageError(where, problem, "give images through the bands of the stretch")
