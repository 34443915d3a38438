"""Spectra, redshifts and images that are not what a model of spectra takes: refused, set aside, or mended."""

import re
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from nebulium.cli import app
from nebulium.data.images.mmu import Images, write_images
from nebulium.data.rejects import Rejects
from nebulium.data.spectra.checks import Declared
from nebulium.data.spectra.spectrum_set import Spectra, air_from_vacuum
from nebulium.data.spectra.writing import write_spectra
from nebulium.data.tables.reading import read_table
from nebulium.data.tables.table import Table
from nebulium.data.tables.writer import write_table
from nebulium.spectra import predict_file
from nebulium.spectra.continuum.training import SpectrumFiles

MODEL = Path(__file__).parents[1] / "fixtures" / "models" / "spectra"
BANDS = ("decam_g", "decam_r", "decam_z")
GALAXIES, SIDE = 24, 16
WAVES = np.arange(3650.0, 9300.0, 10.0, dtype=np.float32)
IDS = np.arange(GALAXIES) + 100
REDSHIFTS = np.linspace(0.04, 0.12, GALAXIES)


def run(*arguments):
    """Of a command its code, and all that it says on one line."""
    found = CliRunner().invoke(app, ["spectra", *map(str, arguments)])
    assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
    return found.exit_code, " ".join(found.output.split())


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A small model that was saved before."""
    folder = tmp_path_factory.mktemp("models") / "small"
    shutil.copytree(MODEL, folder)
    with zipfile.ZipFile(folder / "weights.zip") as packed:
        packed.extractall(folder)
    return folder


def images_of(path, bands=BANDS, ids=IDS, **beside):
    """Round spots, redder from galaxy to galaxy; the same light in each band, whatever their order."""
    at = np.arange(SIDE) - 0.5 * (SIDE - 1)
    profile = np.exp(-0.125 * (at[:, None] ** 2 + at[None, :] ** 2))
    light = {band: 3.0 + place + 0.05 * place * IDS for place, band in enumerate(BANDS)}
    pixels = np.stack([light[band][:, None, None] * profile for band in bands], axis=-1)
    pixels = (pixels + 0.02 * np.random.default_rng(1).normal(size=pixels[..., :1].shape)).astype(np.float32)
    of_bands = np.ones((2, GALAXIES, len(bands)), np.float32)
    everywhere = np.ones_like(pixels)
    images = Images(ids, bands, pixels, everywhere, pixels > np.inf, *of_bands, table=Table(beside))
    write_images(images, path)
    return path


def spectra_of(path, **changed):
    """Straight continua of the same galaxies."""
    random = np.random.default_rng(2)
    wave = np.broadcast_to(WAVES, (GALAXIES, len(WAVES)))
    flux = (
        5.0 + (wave / 5500.0 - 1.0) * random.normal(size=(GALAXIES, 1)) + 0.1 * random.normal(size=wave.shape)
    )
    spectra = Spectra(IDS, wave, flux.astype(np.float32), np.full(wave.shape, 100.0, np.float32), REDSHIFTS)
    write_spectra(replace(spectra, **changed), path)
    return path


def train(images, spectra, output, *more):
    """Three components, of which so few galaxies tell enough."""
    return run("train", "--images", images, "--spectra", spectra, "-o", output, "--components", 3, *more)


ONES, ROWS = np.ones((GALAXIES, len(WAVES)), np.float32), np.broadcast_to(WAVES, (GALAXIES, len(WAVES)))
BEYOND = {
    "zero inverse variance": ({"ivar": 0 * ONES}, "24 has inverse variance 0 everywhere"),
    "negative inverse variance": ({"ivar": -ONES}, "24 has a negative inverse variance in 565 pixels"),
    "NaN": ({"flux_lambda": np.nan * ONES}, "24 has inverse variance 0 everywhere"),
    "decreasing wavelengths": ({"wave_aa": ROWS[:, ::-1]}, "has unsorted wavelengths .9290 at pixel 0"),
    "nanometres": ({"wave_aa": 0.1 * ROWS}, "looks like nm rather than Angstrom.*--wave-unit 'nm'"),
    "one pixel": (
        {"wave_aa": ROWS[:, :1], "flux_lambda": ONES[:, :1], "ivar": ONES[:, :1]},
        "gives 0 spectra to learn from that have light between 5400 and 5600 AA at rest",
    ),
    "ultraviolet": ({"wave_aa": 0.3 * ROWS}, "gives 0 spectra to learn from that have light between 5400"),
    "infrared": ({"wave_aa": 3.0 * ROWS}, "gives 0 spectra to learn from that have light between 5400"),
    "below zero": ({"flux_lambda": -ONES}, "gives 0 spectra to learn from that have light between 5400"),
    "no redshifts": ({"redshift": np.nan * REDSHIFTS}, "24 redshift is not known.*--redshifts TABLE"),
    "redshifts of 0": ({"redshift": 0 * REDSHIFTS}, "24 redshift is not above 0.*--redshifts TABLE"),
    "other ids": ({"ids": IDS + 5000}, "no id in common with the images .5100, 5101, 5102, ... and 100, 101"),
    "one id twice": ({"ids": np.append(IDS[:-1], 100)}, "expected every id once, found 100 in rows 0 and 23"),
}


@pytest.mark.parametrize("name", BEYOND)
def test_spectra_that_cannot_be_learned_from_are_refused_with_their_reason(name, tmp_path):
    changed, message = BEYOND[name]
    kinds = {key: one.astype(np.float32) for key, one in changed.items() if key not in ("ids", "redshift")}
    spectra = spectra_of(tmp_path / "spectra.parquet", **(changed | kinds))
    code, said = train(images_of(tmp_path / "images.parquet"), spectra, tmp_path / "mine")
    assert code == 2
    assert re.search(message, said), said
    assert not (tmp_path / "mine").exists()


def test_reasons_are_told_too_where_a_model_is_scored(model, tmp_path):
    images = images_of(tmp_path / "images.parquet")
    for changed, message in (
        ({"ids": IDS + 5000}, "no id in common with the images"),
        ({"redshift": 0 * REDSHIFTS}, "24 redshift is not above 0"),
    ):
        spectra = spectra_of(tmp_path / "spectra.parquet", **changed)
        arguments = ("--spectra", spectra, "--model", model, "--all-rows", "-o", tmp_path / "scores")
        code, said = run("evaluate", images, *arguments)
        assert code == 2
        assert message in said


def test_air_wavelengths_and_other_units_may_be_declared(tmp_path):
    vacuum = spectra_of(tmp_path / "vacuum.parquet")
    air = spectra_of(tmp_path / "air.parquet", wave_aa=air_from_vacuum(ROWS).astype(np.float32))
    nanometres = spectra_of(tmp_path / "nm.parquet", wave_aa=(0.1 * ROWS).astype(np.float32))
    (true,) = SpectrumFiles(vacuum).chunks(Rejects())
    for path, declared in ((air, Declared(air=True)), (nanometres, Declared(wave_unit="nm"))):
        (found,) = SpectrumFiles(path, declared=declared).chunks(Rejects())
        np.testing.assert_allclose(found.wave_aa, true.wave_aa, rtol=2e-7)


def test_redshifts_of_which_some_are_missing_are_inferred_and_impossible_ones_set_aside(model, tmp_path):
    redshift = REDSHIFTS.copy()
    redshift[:3] = np.nan, 0.0, -0.1
    images = images_of(tmp_path / "images.parquet", redshift=redshift)
    out = tmp_path / "out.csv"
    code, said = run("predict", images, "--redshift", "redshift", "--model", model, "-o", out)
    assert code == 0, said
    assert "2 redshift is not above 0" in said
    found = read_table(out)
    np.testing.assert_allclose(found["redshift"][1:], REDSHIFTS[3:], rtol=1e-5)
    assert found["object_id"].tolist() == [100, *IDS[3:]]
    assert found["redshift_q84"][0] > found["redshift_q16"][0] > 0


def test_redshifts_of_other_galaxies_are_refused(model, tmp_path):
    images, table = images_of(tmp_path / "images.parquet"), tmp_path / "z.ecsv"
    write_table(Table({"target_id": IDS + 5000, "z": REDSHIFTS}), table)
    arguments = ("--table", table, "--redshift", "z", "--model", model, "-o", tmp_path / "out.csv")
    code, said = run("predict", images, *arguments)
    assert code == 2
    assert "has no id of the images: its ids begin with 5100" in said


def test_bands_in_another_order_say_the_same(model, tmp_path):
    tables = []
    for name, bands in (("as learned", BANDS), ("reversed", BANDS[::-1])):
        images = images_of(tmp_path / f"{name}.parquet", bands)
        predict_file(images, tmp_path / f"{name}.csv", model=model)
        tables.append(read_table(tmp_path / f"{name}.csv"))
    np.testing.assert_array_equal(tables[0]["ew_HALPHA"], tables[1]["ew_HALPHA"])
    np.testing.assert_array_equal(tables[0]["dn4000"], tables[1]["dn4000"])


def test_other_bands_and_pictures_are_refused(model, tmp_path):
    out = tmp_path / "out.csv"
    others = images_of(tmp_path / "images.parquet", BANDS)
    code, said = run("predict", others, "--bands", "decam_g,decam_r", "--model", model, "-o", out)
    assert code == 2
    assert "has the bands decam_g, decam_r, the model takes decam_g, decam_r, decam_z" in said
    (tmp_path / "pictures").mkdir()
    Image.fromarray(np.full((SIDE, SIDE, 3), 99, np.uint8)).save(tmp_path / "pictures" / "100.jpg")
    for bands in ((), ("--bands", ",".join(BANDS))):
        code, said = run("predict", tmp_path / "pictures", *bands, "--model", model, "-o", out)
        assert code == 2, said
    assert "expected fluxes for the stretch asinh, found colours from 0 to 255" in said
    assert not out.exists()


def test_observed_spectra_need_figures_and_galaxies(model, tmp_path):
    images, out = images_of(tmp_path / "images.parquet"), tmp_path / "out.parquet"
    spectra = spectra_of(tmp_path / "spectra.parquet", ids=IDS + 5000)
    arguments = ("draw", images, "--spectra", spectra, "--model", model, "-o", out)
    code, said = run(*arguments)
    assert code == 2
    assert "is not used, as no figures are asked for" in said
    code, said = run(*arguments, "--figures", tmp_path / "figures")
    assert code == 2
    assert "no id in common with the images" in said
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "thesis.tex").touch()
    code, said = run(*arguments, "--figures", tmp_path / "figures")
    assert code == 2
    assert "other things in it, which would be lost" in said
