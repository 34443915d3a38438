"""Gradients of light against finite differences; run as a program it prints the differences."""

import os
import subprocess
import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from nebulium.lines.model import LineModel
from nebulium.mock.light import LightModel, make_light_model
from nebulium.mock.populations.properties import GalaxyProperties
from nebulium.mock.structure import draw_structure
from nebulium.sed import load_filters

BANDS = ("acs_wfc_f606w", "acs_wfc_f814w", "wfc3_ir_f125w", "wfc3_ir_f160w")
# Redshift, log mass, age, tau, A_V, oh12, log Z, share of the bulge; the second is dimmed by hydrogen.
POINTS = ((0.2, 10.2, 7.0, 3.0, 0.5, 8.8, -1.9, 0.3), (4.3, 9.8, 0.6, 0.4, 0.3, 8.4, -2.2, 0.2))
STEP = 1e-5


class SmoothLaw(eqx.Module):
    """A law of the lines without chance: random numbers differ between precisions."""

    strength: jax.Array

    def density(self, continuum_flux, redshift):
        return SmoothLaw(self.strength * continuum_flux[1] / continuum_flux[10] * (1.0 + 0.1 * redshift))

    def sample(self, key, n):
        return self.strength[None, :]

    def features(self, continuum_flux, redshift):
        return continuum_flux

    @property
    def domain(self):
        return self

    def contains(self, features):
        return jnp.array(True)


def light_model() -> LightModel:
    untrained = LineModel(with_luminosity=False, key=jax.random.key(0))
    model = make_light_model(load_filters(*BANDS), untrained)
    return eqx.tree_at(lambda m: m.line_model, model, SmoothLaw(10.0 * jnp.arange(1.0, 11.0)))


def any_structure():
    """Of zeros: light looks at the share of the bulge alone, which each point sets."""
    shapes = jax.eval_shape(draw_structure, GalaxyProperties(*POINTS[0][:7]), jax.random.key(0))
    return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)


def observables(model, structure, point):
    """Magnitudes, and logarithms of the fluxes of each component."""
    galaxy = GalaxyProperties(*point[:7])
    structure = eqx.tree_at(lambda s: s.bulge_share, structure, point[7])
    seen = model(galaxy, structure, jax.random.key(0))
    return jnp.concatenate([seen.mag_ab, jnp.log10(seen.flux_njy).ravel()])


def finite_differences():
    model = jax.tree.map(
        lambda leaf: leaf.astype(float) if eqx.is_inexact_array(leaf) else leaf, light_model()
    )
    steps = STEP * jnp.eye(8)
    ahead, behind = (jnp.array(POINTS)[:, None, :] + sign * steps[None] for sign in (1.0, -1.0))
    batch = eqx.filter_jit(lambda m, s, points: jax.vmap(lambda point: observables(m, s, point))(points))
    values = [batch(model, any_structure(), points.reshape(-1, 8)) for points in (ahead, behind)]
    return (values[0] - values[1]) / (2 * STEP)


def test_gradients_agree_with_finite_differences_in_double_precision():
    """With respect to every property and the share of the bulge."""
    done = subprocess.run(
        [sys.executable, __file__],
        capture_output=True,
        text=True,
        env=os.environ | {"JAX_PLATFORMS": "cpu", "JAX_ENABLE_X64": "true"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    differences = np.array([[float(x) for x in line.split()] for line in done.stdout.splitlines()])
    differences = differences.reshape(len(POINTS), 8, 16)
    model, structure = light_model(), any_structure()
    gradient = jax.jit(jax.vmap(jax.jacrev(lambda point: observables(model, structure, point))))
    gradients = gradient(jnp.array(POINTS))
    largest = np.abs(differences).max(axis=2, keepdims=True) + 1e-6
    np.testing.assert_allclose(np.swapaxes(gradients, 1, 2) / largest, differences / largest, atol=1e-3)


if __name__ == "__main__":
    for row in finite_differences():
        print(*(float(x) for x in row))  # noqa: T201
