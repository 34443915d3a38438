"""What a model makes of embeddings: standardisation, domain, components; one galaxy as many."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from astropy.table import Table as AstropyTable

from nebulium.data.embeddings.columns import EmbeddingForm, EmbeddingTable
from nebulium.data.embeddings.source import open_embeddings
from nebulium.data.embeddings.store import EmbeddingStore, StoredEmbeddings
from nebulium.nn.mapping import map_galaxies
from nebulium.properties.model import PropertyModel
from nebulium.properties.seen.sight import EmbeddingSight, measured_sight

WIDTH, N, REFERENCES = 20, 300, 64
FORM = EmbeddingForm(("embedding",), WIDTH, "", "target_id")


def vectors(seed: int, n: int = N) -> np.ndarray:
    """Of very different sizes, near a surface of three dimensions; one number is the same for all."""
    surface = np.random.default_rng(0).normal(size=(3, WIDTH))
    draw = np.random.default_rng(seed)
    found = draw.normal(size=(n, 3)) @ surface + 0.1 * draw.normal(size=(n, WIDTH))
    found[:, 5] = 7.0
    return (found * np.logspace(-6, 6, WIDTH) + 3.0 * np.logspace(-6, 6, WIDTH)).astype(np.float32)


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """Gives some vectors as rows of a store."""
    folder = tmp_path_factory.mktemp("sight")

    def of(values: np.ndarray) -> StoredEmbeddings:
        ids, path = np.arange(len(values)), folder / f"{len(list(folder.iterdir()))}.fits"
        AstropyTable({"target_id": ids, "embedding": values}).write(path)
        store = EmbeddingStore(path.with_suffix(".store"), open_embeddings(EmbeddingTable(path)), ids)
        return StoredEmbeddings(store, ids)

    return of


@pytest.fixture(scope="module")
def sight(stored) -> EmbeddingSight:
    return measured_sight(EmbeddingSight(FORM, REFERENCES, 3), stored(vectors(1)), stored(vectors(2)))


def test_embeddings_are_standardised_whatever_their_size_and_constants_are_left_out(sight):
    standard = np.asarray(jax.vmap(sight.standardised)(vectors(1)))
    np.testing.assert_allclose(standard.mean(axis=0), 0.0, atol=1e-4)
    np.testing.assert_allclose(np.delete(standard.std(axis=0), 5), 1.0, atol=1e-3)
    other = jnp.asarray(vectors(3)[0]).at[5].set(1e9)
    assert float(sight.standardised(other)[5]) == 0.0


def test_the_distance_off_the_surface_is_in_scatters_of_the_training_galaxies(stored):
    # Of few axes and much noise about them, so that there is a distance.
    draw = np.random.default_rng(0)
    form, n_axes = EmbeddingForm(("embedding",), 200, "", "target_id"), 32
    surface = draw.normal(size=(n_axes, 200))
    parts = [stored(draw.normal(size=(n, n_axes)) @ surface + draw.normal(size=(n, 200))) for n in (400, 200)]
    sight = measured_sight(EmbeddingSight(form, 400), *parts)
    off = map_galaxies(
        lambda one: sight.domain.log_distance(sight.standardised(one)), parts[0][np.arange(400)]
    )
    np.testing.assert_allclose(sight.domain.off_surface, [off.mean(), off.std()], rtol=1e-3)
    assert off.mean() < -0.5


def test_components_hold_what_varies_in_one_unit(sight):
    components = np.asarray(jax.vmap(lambda one: sight.components(sight.standardised(one)))(vectors(1)))
    assert components.shape == (N, 3)
    assert np.mean(components**2) == pytest.approx(1.0, rel=1e-3)
    # The stronger ones first, none of them scaled to the others.
    assert np.all(np.diff(components.std(axis=0)) < 0)


@pytest.mark.parametrize(
    ("change", "least", "most"),
    [
        (lambda found: found, 0.9, 1.0),
        (lambda found: found * np.where(np.arange(WIDTH) == 2, 30.0, 1.0), 0.0, 0.05),
        (lambda found: np.random.default_rng(0).permuted(found, axis=0), 0.0, 0.02),
        (lambda found: found * np.nan, 0.0, 0.0),
    ],
)
def test_what_is_far_from_the_training_embeddings_is_outside(sight, change, least, most):
    changed = change(vectors(4)).astype(np.float32)
    inside = map_galaxies(lambda one: sight.contains(sight.standardised(one)), changed)
    assert least <= inside.mean() <= most


@pytest.mark.parametrize("width", [1, 4])
def test_a_narrow_embedding_has_a_domain_too(stored, width):
    form = EmbeddingForm(("embedding",), width + 1, "", "target_id")
    parts = [stored(np.random.default_rng(seed).normal(size=(60, width + 1))) for seed in (0, 1)]
    sight = measured_sight(EmbeddingSight(form, 16), *parts)
    inside = map_galaxies(lambda one: sight.contains(sight.standardised(one)), parts[1][np.arange(60)])
    assert inside.mean() > 0.8
    assert not bool(sight.contains(jnp.full(width + 1, 40.0)))


def made(**others) -> PropertyModel:
    settings = {
        "targets": ["oh12"], "classes": {"kind": ["a", "b"]}, "encoder": "none", "head": "gaussian",
        "domain_references": REFERENCES, "embedding": FORM.as_dict(), "key": jax.random.key(0),
    }  # fmt: skip
    return PropertyModel(**(settings | others))


IMAGES = {
    "bands": ["g", "r"], "unit": "", "size": 16, "stretch": {"kind": "none", "softening": []},
    "encoder": "resnet-tiny",
}  # fmt: skip


@pytest.mark.parametrize(
    "others",
    [{}, {"members": 2}, {"references": 8, "members": 0}, IMAGES],
    ids=["one", "two", "process", "both"],
)
def test_one_galaxy_is_predicted_as_in_a_batch(others, sight):
    measured = lambda m: (m.sight.mean, m.sight.weight, m.sight.domain, m.sight.most_off)  # noqa: E731
    model = made(**others)
    model = eqx.tree_at(measured, model, (sight.mean, sight.weight, sight.domain, sight.most_off))
    images = (
        np.random.default_rng(0).normal(size=(5, 16, 16, 2)).astype(np.float32) if "bands" in others else None
    )
    embeddings = vectors(5, 5)
    many = map_galaxies(model, images, embeddings, batch=3)
    one = eqx.filter_jit(model)(
        None if images is None else jnp.asarray(images[4]), jnp.asarray(embeddings[4])
    )
    for batched, single in zip(jax.tree.leaves(many), jax.tree.leaves(one), strict=True):
        np.testing.assert_allclose(batched[4], single, atol=2e-5)
    assert many.probability.shape == (5, 2)
    assert np.all(np.isfinite(many.sigma))


def test_a_model_asks_for_what_it_sees():
    with pytest.raises(ValueError, match="expected an embedding of the galaxy"):
        made()(jnp.zeros((16, 16, 2)))
    with pytest.raises(ValueError, match="expected an image and an embedding"):
        made(**IMAGES)(jnp.zeros((16, 16, 2)))
