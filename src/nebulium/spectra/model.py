"""The joint density of a galaxy's redshift, brightness, continuum and lines, given its image."""

from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key

from nebulium.data.images.preparation import ImageForm
from nebulium.lines.continuum.line_list import OfLines
from nebulium.lines.model import FOLLOWS, FREE, LineDensity, LineModel
from nebulium.modelfile import register
from nebulium.nn.chained_density import ChainedDensity
from nebulium.nn.convolution import Image
from nebulium.nn.training_domain import TrainingDomain
from nebulium.sed.cosmology import Scalar
from nebulium.spectra.continuum.basis import ContinuumBasis
from nebulium.spectra.draws import SpectrumDraw, bins_of
from nebulium.spectra.features import Features, feature_count, measure_image

Values = Float[Array, " value"]

#: Standardised features are clipped here: far outside the training domain networks should not run away.
FEATURE_BOUND = 6.0
#: The redshift and the brightness, before the coefficients.
OTHERS = 2
DOMAIN_REFERENCES = 2048
#: Of an equivalent width, AA: half a per cent of the continuum over the twenty Angstrom of a line.
LEAST_ERROR_AA = 0.1


class LineCorrection(eqx.Module):
    """What an image adds to the law of the lines that the continuum gives: a shift, and a change of width.

    Parameters
    ----------
    features : int
    key : key
    """

    shift: eqx.nn.Linear
    log_width: Float[Array, " free"]

    def __init__(self, features: int, *, key: Key[Array, ""]):
        shift = eqx.nn.Linear(features, FREE.size, key=key)
        # It adds nothing until spectra teach that it should.
        self.shift = jax.tree.map(jnp.zeros_like, shift)
        self.log_width = jnp.zeros(FREE.size)

    def __call__(self, density: LineDensity, features: Features) -> LineDensity:
        """The law of the lines of a galaxy that is seen."""
        law = density.log_ew
        moved = law.location + self.shift(features)[FOLLOWS], law.log_scale + self.log_width[FOLLOWS]
        return eqx.tree_at(lambda d: (d.log_ew.location, d.log_ew.log_scale), density, moved)


@register
class SpectrumModel(eqx.Module):
    """Spectra of galaxies from their images.

    The density of the redshift, of the brightness and of coefficients of the continuum given the image is a
    chain of mixtures of normal distributions, by several networks; the lines follow from the continuum by a
    model of lines, which the image may correct.

    Parameters
    ----------
    components : int
        Of the continuum.
    first, pixels : int
        Of its grid: see `ContinuumBasis`.
    width, depth, hidden, mixture : int
        Of the networks: see `nebulium.nn.chained_density.ChainedDensity`.
    dropout : float
        The same.
    members : int
        How many networks there are.
    lines : mapping
        Keywords of the model of lines.
    domain_references : int
        Galaxies that the training domain is measured by.
    key : key, optional
        Of the first weights.
    bands, unit, size, stretch, binning : sequence of str, str, int, dict, int
        The images: see `nebulium.data.Preparation`.

    Attributes
    ----------
    feature_mean, feature_scale : (feature,) float32
        Of the training images.
    value_mean, value_scale : (2 + component,) float32
        Of the logarithms of the redshift, and of the flux over the light of the image, and of coefficients.
    basis : ContinuumBasis
    networks : tuple of ChainedDensity
    lines : LineModel
    correction : LineCorrection
    domain : TrainingDomain
        Of features of images.

    Examples
    --------
    >>> model = SpectrumModel(
    ...     components=2, first=17660, pixels=1600, width=8, depth=1, hidden=4, mixture=2,
    ...     dropout=0.0, members=1,
    ...     lines={"with_luminosity": False, "width": 8, "depth": 1}, domain_references=8,
    ...     bands=["g", "r", "i"], unit="nJy", size=16, stretch={"kind": "asinh", "softening": [1.0] * 3},
    ... )
    >>> seen, light = model.seen(jnp.ones((16, 16, 3)))
    >>> model.draw(seen, light, jnp.array(0.1), jax.random.key(0)).ew_aa.shape
    (10,)
    """

    feature_mean: Features
    feature_scale: Features
    value_mean: Values
    value_scale: Values
    basis: ContinuumBasis
    networks: tuple[ChainedDensity, ...]
    lines: LineModel
    correction: LineCorrection
    domain: TrainingDomain
    form: ImageForm = eqx.field(static=True)

    def __init__(
        self,
        *,
        components: int,
        first: int,
        pixels: int,
        width: int,
        depth: int,
        hidden: int,
        mixture: int,
        dropout: float,
        members: int,
        lines: Mapping[str, Any],
        domain_references: int = DOMAIN_REFERENCES,
        key: Key[Array, ""] | None = None,
        **images: Any,
    ):
        self.form = ImageForm.of(**images)
        features, values = feature_count(len(self.form.bands)), components + OTHERS
        line_key, correction_key, *keys = jax.random.split(
            jax.random.key(0) if key is None else key, members + 2
        )
        self.feature_mean, self.feature_scale = jnp.zeros(features), jnp.ones(features)
        self.value_mean, self.value_scale = jnp.zeros(values), jnp.ones(values)
        self.basis = ContinuumBasis(first, pixels, components)
        self.networks = tuple(
            ChainedDensity(
                features,
                values,
                width=width,
                depth=depth,
                hidden=hidden,
                mixture=mixture,
                dropout=dropout,
                key=key,
            )
            for key in keys
        )
        self.lines = LineModel(**lines, key=line_key)
        self.correction = LineCorrection(features, key=correction_key)
        self.domain = TrainingDomain(features, domain_references)

    def seen(self, image: Image) -> tuple[Features, Scalar]:
        """Standardised features of a prepared image, and the logarithm of its light."""
        features, light = measure_image(image, self.form.preparation.stretch)
        standard = (features - self.feature_mean) / self.feature_scale
        return jnp.clip(standard, -FEATURE_BOUND, FEATURE_BOUND), light

    def values(self, coefficients: Array, log_flux: Scalar, redshift: Scalar, light: Scalar) -> Values:
        """What a network says the density of: standardised, of a galaxy whose image has such light."""
        raw = jnp.concatenate([jnp.stack([jnp.log10(redshift), log_flux - light]), coefficients])
        return (raw - self.value_mean) / self.value_scale

    def draw(self, seen: Features, light: Scalar, redshift: Scalar, key: Key[Array, ""]) -> SpectrumDraw:
        """One spectrum of a galaxy by the features and the light of its image.

        A redshift that is not known is NaN: it is drawn too.
        """
        member_key, value_key, line_key = jax.random.split(key, 3)
        known = jnp.isfinite(redshift)
        asked = jnp.log10(jnp.where(known, redshift, 1.0))
        told = jnp.where(known, (asked - self.value_mean[0]) / self.value_scale[0], 0.0)
        of_known = known.astype(jnp.float32)
        drawn = [network.draw(network.seen(seen), told, of_known, value_key) for network in self.networks]
        which = jax.random.randint(member_key, (), 0, len(drawn))
        raw = self.value_mean + self.value_scale * jnp.stack(drawn)[which]
        redshift = jnp.where(known, redshift, 10.0 ** raw[0])
        coefficients, log_flux = raw[OTHERS:], raw[1] + light
        ew_aa = self.lines_given(coefficients, log_flux, redshift, seen).sample(line_key, 1)[0]
        return SpectrumDraw(coefficients, log_flux, redshift, ew_aa)

    def lines_given(
        self, coefficients: Array, log_flux: Scalar, redshift: Scalar, seen: Features
    ) -> LineDensity:
        """The law of the lines upon a continuum."""
        continuum_flux = 10.0**log_flux * bins_of(self.basis, coefficients)
        return self.correction(self.lines.density(continuum_flux, redshift), seen)

    def draws(self, image: Image, redshifts: Float[Array, " draw"], key: Key[Array, ""]) -> SpectrumDraw:
        """Spectra of a galaxy, one for each redshift: NaN where it is not known, or draws of its density.

        Parameters
        ----------
        image : (side, side, band) float32
            Prepared.
        redshifts : (draw,) float32
        key : key

        Returns
        -------
        SpectrumDraw
            In arrays (draw, ...).
        """
        seen, light = self.seen(image)
        keys = jax.random.split(key, len(redshifts))
        return jax.vmap(lambda redshift, key: self.draw(seen, light, redshift, key))(redshifts, keys)

    def in_domain(self, image: Image) -> Bool[Array, ""]:
        """Whether such images were among those of the training."""
        return self.domain.contains(self.seen(image)[0])


def line_loss(density: LineDensity, ew_aa: OfLines, sigma_aa: OfLines) -> Scalar:
    """Negative logarithm of the likelihood of measured lines, each by itself, without the tied ones.

    A line that is measured to three times its error counts by its density; of a fainter one it counts that it
    lies below that. No error is taken to be less than what the continuum is off by.
    """
    law = density.log_ew
    seen = jnp.isfinite(ew_aa) & jnp.isfinite(sigma_aa)
    least = 3.0 * jnp.hypot(jnp.where(seen, sigma_aa, 1.0), LEAST_ERROR_AA)
    found = seen & (ew_aa > least)
    log_ew, limit = jnp.log(jnp.where(found, ew_aa, 1.0)), jnp.log(least)
    below = jax.scipy.special.log_ndtr(law.score(limit))
    each = jnp.where(found, law.log_prob(log_ew), jnp.where(seen, below, 0.0))
    return -jnp.sum(each[FREE])
