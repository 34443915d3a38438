"""From images and spectra to a model, and from images to spectra, on the command line and in Python."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from typer.testing import CliRunner

from nebulium.cli import app
from nebulium.data.ids import rows_of_ids
from nebulium.data.images.opening import open_images
from nebulium.data.rejects import Rejects
from nebulium.data.spectra.reading import read_spectra
from nebulium.data.spectra.writing import write_spectra
from nebulium.data.splits import Split
from nebulium.data.tables.reading import read_table
from nebulium.data.tables.table import Table
from nebulium.data.tables.writer import write_table
from nebulium.errors import NebuliumError
from nebulium.modelfile import load_model
from nebulium.nn.image_model import model_images
from nebulium.spectra import SpectraConfig, SpectrumForm, draw_file, predict_file, train_file

CONFIG = SpectraConfig(
    components=3, width=32, depth=1, hidden=16, mixture=3, members=2, epochs=1, batch_size=32
)


def run(*arguments):
    return CliRunner().invoke(app, ["spectra", *map(str, arguments)])


@pytest.fixture(scope="module")
def predicted(galaxies, trained, tmp_path_factory):
    path = tmp_path_factory.mktemp("predicted") / "predicted.parquet"
    predict_file(galaxies.images, path, model=trained)
    return read_table(path)


def test_galaxies_held_out_are_predicted_with_errors_that_hold(galaxies, predicted):
    test = Split().rows(predicted["object_id"])["test"]
    ew = np.log10(predicted["ew_HALPHA"])
    true = np.log10(galaxies.truth.ew_halpha)
    assert np.corrcoef(ew[test], true[test])[0, 1] > 0.9
    low, high = predicted["ew_HALPHA_q16"][test], predicted["ew_HALPHA_q84"][test]
    inside = (galaxies.truth.ew_halpha[test] > low) & (galaxies.truth.ew_halpha[test] < high)
    assert 0.4 < inside.mean() < 0.95
    np.testing.assert_allclose(np.median(predicted["log_flux_5500"]), np.log10(20.0), atol=0.05)
    assert np.mean(predicted["in_domain"]) > 0.9
    shares = sum(predicted[f"bpt_p_{name}"] for name in ("star_forming", "composite", "agn"))
    np.testing.assert_allclose(shares, 1.0, atol=1e-5)


def test_a_known_redshift_is_kept(galaxies, trained, tmp_path):
    predict_file(galaxies.images, tmp_path / "p.parquet", model=trained, redshift="redshift")
    found = read_table(tmp_path / "p.parquet")
    np.testing.assert_allclose(found["redshift"], galaxies.truth.redshift, rtol=1e-5)


def test_drawn_spectra_are_read_as_spectra_and_their_lines_predicted(galaxies, trained, tmp_path):
    out = tmp_path / "drawn.parquet"
    found = run(
        "draw", galaxies.images, "--model", trained, "--redshift", "redshift", "--draws", 2, "-o", out
    )
    assert found.exit_code == 0, found.output
    spectra = read_spectra(out)
    assert len(spectra) == 2 * 420
    assert spectra.ids[0] == "100-1"
    np.testing.assert_allclose(spectra.redshift[::2], galaxies.truth.redshift, rtol=1e-5)
    middle = np.abs(spectra.wave_aa / (1 + spectra.redshift[:, None]) - 5500) < 80
    assert abs(np.median(spectra.flux_lambda[middle]) - 20.0) < 1.5


def test_the_mean_has_the_scatter_of_the_draws_as_its_error(galaxies, trained, tmp_path):
    form = SpectrumForm((3700.0, 6900.0, 8.0), at_rest=True, normalised=True)
    done = draw_file(galaxies.images, tmp_path / "mean.parquet", model=trained, form=form)
    assert (done.galaxies, done.spectra) == (420, 420)
    mean = read_spectra(tmp_path / "mean.parquet", redshifts=0.0)
    red = (mean.wave_aa[0] > 6000) & (mean.wave_aa[0] < 6400)
    slope = -np.log(mean.flux_lambda[:, red].mean(axis=1)) / np.log(6200 / 5500) / 1.5
    order = rows_of_ids(mean.ids, np.arange(420) + 100)
    assert np.corrcoef(slope, galaxies.truth.slope[order])[0, 1] > 0.95
    assert np.all(mean.ivar[:, 100] > 0)


def test_one_galaxy_is_drawn_as_in_a_batch(galaxies, trained):
    model = load_model(trained)
    source = open_images(galaxies.images)
    images = next(iter(model_images(source, model, rejects=Rejects()))).images[:3]
    unknown, key = jnp.full(2, jnp.nan), jax.random.key(0)
    many = jax.jit(jax.vmap(lambda image: model.draws(image, unknown, key)))(images)
    one = model.draws(jnp.asarray(images[1]), unknown, key)
    for together, alone in zip(many, one, strict=True):
        np.testing.assert_allclose(together[1], alone, rtol=2e-3, atol=2e-3)


def test_faults_are_told(galaxies, trained, tmp_path):
    with pytest.raises(NebuliumError, match="make no grid"):
        SpectrumForm((9000.0, 3600.0, 2.0))
    write_table(Table({"target_id": np.arange(3), "z": np.ones(3)}), tmp_path / "z.ecsv")
    with pytest.raises(NebuliumError, match="is not used, as no redshift is given"):
        predict_file(galaxies.images, tmp_path / "p.csv", model=trained, table=tmp_path / "z.ecsv")
    found = run(
        "draw", galaxies.images, "--model", trained, "--wavelengths", "1,2", "-o", tmp_path / "d.fits"
    )
    assert found.exit_code == 2
    assert "expected three numbers" in found.output


def test_images_and_spectra_that_do_not_join_are_refused(galaxies, tmp_path):
    spectra = read_spectra(galaxies.spectra)
    write_spectra(replace(spectra, ids=spectra.ids + 10_000), tmp_path / "others.parquet")
    with pytest.raises(NebuliumError, match="no id in common with the images"):
        train_file(galaxies.images, tmp_path / "others.parquet", tmp_path / "mine", config=CONFIG)


def test_a_model_is_scored_beside_simpler_methods(galaxies, trained, few_trees, tmp_path):
    arguments = (
        "--spectra",
        galaxies.spectra,
        "--model",
        trained,
        "--all-rows",
        "--output",
        tmp_path / "scores",
    )
    found = run("evaluate", galaxies.images, *arguments)
    assert found.exit_code == 0, found.output
    assert (tmp_path / "scores" / "scores.md").is_file()
    assert (tmp_path / "scores" / "spectra.png").is_file()
