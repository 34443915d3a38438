"""From images and spectra to a model, and from images to spectra, on the command line and in Python."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table as AstropyTable
from typer.testing import CliRunner

from nebulium.cli import app
from nebulium.data.ids import rows_of_ids
from nebulium.data.images.fits_cutouts import write_cutout
from nebulium.data.images.mmu import read_images
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
from nebulium.spectra.continuum.training import SpectrumFiles, measured_spectra
from nebulium.spectra.figure_pages import FigurePages, observed_spectra
from nebulium.spectra.predict import SpectrumPredictor
from nebulium.spectra.scores.figures import WAVES_AA
from nebulium.verbs import find_predictor

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
    through = ["sdss_r0", "sdss_i0"]
    out = tmp_path / "p.parquet"
    predict_file(galaxies.images, out, model=trained, redshift="redshift", filters=through)
    found = read_table(out)
    np.testing.assert_allclose(found["redshift"], galaxies.truth.redshift, rtol=1e-5)
    # Blue galaxies are blue in the colours of their drawn spectra too.
    colour = found["colour_sdss_r0_sdss_i0"]
    assert np.corrcoef(colour, galaxies.truth.slope)[0, 1] < -0.8
    median = np.median(found["mag_sdss_r0"] - found["mag_sdss_i0"])
    assert median == pytest.approx(np.median(colour), abs=0.01)
    with pytest.raises(NebuliumError, match="sdss_q"):
        predict_file(galaxies.images, out, model=trained, filters=["sdss_q"])


def test_components_are_fitted_alone_and_taken_for_a_training(galaxies, tmp_path):
    folder, model = tmp_path / "continua", tmp_path / "model"
    done = run("basis", galaxies.spectra, "--components", 2, "-o", folder)
    assert done.exit_code == 0, done.output
    basis = load_model(folder)
    train_file(galaxies.images, galaxies.spectra, model, config=replace(CONFIG, basis=str(folder)))
    np.testing.assert_array_equal(load_model(model).basis.components, basis.components)


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


def test_quantiles_at_each_wavelength_hold_the_spectra_of_galaxies(galaxies, trained, tmp_path):
    out = tmp_path / "quantiles.parquet"
    asked = ("draw", galaxies.images, "--model", trained, "--rest", "--normalised", "-o", out)
    found = run(*asked, "--wavelengths", "3700,6900,8", "--quantiles", "0.16,0.5,0.84")
    assert found.exit_code == 0, found.output
    spectra = read_spectra(out, redshifts=0.0)
    assert spectra.ids[:3].tolist() == ["100-q16", "100-q50", "100-q84"]
    low, middle, high = spectra.flux_lambda.reshape(420, 3, -1).transpose(1, 0, 2)
    assert np.all(low <= middle)
    assert np.all(middle <= high)
    place = int(np.argmin(np.abs(spectra.wave_aa[0] - 6200.0)))
    truth = (spectra.wave_aa[0, place] / 5500.0) ** (-1.5 * galaxies.truth.slope)
    inside = np.mean((low[:, place] < truth) & (truth < high[:, place]))
    # A short training on noisy spectra is unsure, but far less than galaxies differ.
    assert inside > 0.6
    assert np.median(high[:, place] - low[:, place]) < np.ptp(truth) / 3
    assert "ask for one" in run(*asked, "--quantiles", "0.5", "--draws", 2).output
    assert "between 0 and 1" in run(*asked, "--quantiles", "16,84").output


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
    assert "expected 3 numbers" in found.output


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


def test_figures_show_galaxies_beside_their_spectra(galaxies, trained, tmp_path):
    spectra = read_spectra(galaxies.spectra)
    write_spectra(spectra.select(slice(0, 7)), tmp_path / "some.parquet")
    arguments = (
        "--figures",
        tmp_path / "shown",
        "--wavelengths",
        "5000,5100,50",
        "-o",
        tmp_path / "d.parquet",
    )
    observed = ("--spectra", tmp_path / "some.parquet", "--redshift", "redshift")
    found = run("draw", galaxies.images, "--model", trained, *observed, *arguments)
    assert found.exit_code == 0, found.output
    assert "figures of 7 of the 420 galaxies" in found.output
    assert sorted(page.name for page in (tmp_path / "shown").iterdir()) == ["page-01.png", "page-02.png"]


def test_rows_of_figures_hold_what_is_observed_and_predicted(galaxies, trained):
    predictor = find_predictor(trained, of=SpectrumPredictor)
    some = SpectrumFiles(galaxies.spectra)
    ids, said = open_images(galaxies.images).ids, []
    pages = FigurePages(predictor, observed_spectra(some, predictor.model, ids, said.append))
    for chunk in predictor.open(galaxies.images, redshift="redshift").chunks:
        pages.take(chunk)
    assert len(pages.rows) == 25
    assert not said
    red = (WAVES_AA > 5200) & (WAVES_AA < 6300)
    off = [(row.observed - row.levels[2])[red] for row in pages.rows]
    # The noise of a pixel is a hundredth; lines between pixels that are wider than 3 AA leave no gaps.
    assert 0.005 < np.std(off) < 0.03
    first = pages.rows[0]
    number = int(first.text.partition(":")[0]) - 100
    assert f"observed {galaxies.truth.redshift[number]:.3f}" in first.text
    assert first.image.shape == (16, 16, 3)


def test_files_as_archives_serve_them_say_the_same(galaxies, trained, predicted, tmp_path):
    spectra = read_spectra(galaxies.spectra).select(slice(0, 32))
    write_coadd(spectra, tmp_path / "coadd-main-bright-1.fits", tmp_path / "redrock-main-bright-1.fits")
    basis = load_model(trained).basis
    of_coadd, of_parquet = (
        measured_spectra(SpectrumFiles(path), basis, among=spectra.ids, rejects=Rejects())
        for path in (tmp_path / "coadd-main-bright-1.fits", galaxies.spectra)
    )
    assert of_coadd.ids.tolist() == of_parquet.ids.tolist()
    np.testing.assert_allclose(of_coadd.redshift, of_parquet.redshift, rtol=1e-6)
    np.testing.assert_allclose(of_coadd.coefficients, of_parquet.coefficients, rtol=1e-2, atol=1e-3)
    np.testing.assert_allclose(of_coadd.ew_aa, of_parquet.ew_aa, rtol=1e-2, atol=2e-2)
    (tmp_path / "cutouts").mkdir()
    images = read_images(galaxies.images)
    for row in range(8):
        write_cutout(images, row, "", tmp_path / "cutouts" / f"{images.ids[row]}.fits")
    predict_file(tmp_path / "cutouts", tmp_path / "p.parquet", model=trained)
    found = read_table(tmp_path / "p.parquet")
    order = rows_of_ids(found["target_id"], predicted["object_id"])
    assert np.all(order >= 0)
    np.testing.assert_allclose(found["dn4000"], predicted["dn4000"][order], rtol=0.1)


def write_coadd(spectra, path, redrock):
    """Three arms that overlap, as DESI's pipeline writes them, and the redshifts beside them."""
    wave = spectra.wave_aa[0].astype(np.float64)
    hdus = [fits.PrimaryHDU(), fits.BinTableHDU(AstropyTable({"TARGETID": spectra.ids}), name="FIBERMAP")]
    arms = {"B": wave < 5800, "R": (wave > 5760) & (wave < 7620), "Z": wave > 7520}
    seen = np.sum(list(arms.values()), axis=0)
    for arm, inside in arms.items():
        parts = {
            "WAVELENGTH": wave[inside],
            "FLUX": spectra.flux_lambda[:, inside],
            "IVAR": (spectra.ivar / seen)[:, inside].astype(np.float32),
        }
        hdus += [fits.ImageHDU(values, name=f"{arm}_{part}") for part, values in parts.items()]
    fits.HDUList(hdus).writeto(path)
    found = {"TARGETID": spectra.ids, "Z": spectra.redshift, "ZWARN": np.zeros(len(spectra), np.int64)}
    table = fits.BinTableHDU(AstropyTable(found), name="REDSHIFTS")
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(redrock)
