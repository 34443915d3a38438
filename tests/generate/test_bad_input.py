"""Images, tables and numbers that are wrong: refused with a message, set aside, or flagged."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from typer.testing import CliRunner

from nebulium.cli import app
from nebulium.data.images.mmu import Images, read_images, write_images
from nebulium.data.splits import Split
from nebulium.data.tables.reading import read_table
from nebulium.data.tables.table import Table
from nebulium.errors import ImageError, NebuliumError, OutputError
from nebulium.generate import LatentConfig, posterior_file, sample_file, sample_images, score_file, train_file
from nebulium.generate.predict import another_depth
from nebulium.generate.recipe import LEAST_SIDE
from nebulium.modelfile import describe_model, load_model
from nebulium.training.run_folder import RunFolder

SMALL = LatentConfig(components=16, width=8, depth=1, epochs=3, reader_epochs=3, batch_size=64)
PROPERTIES = ("log_mass", "log_size")
FEW = 24


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def few(spots):
    """The first of the spots."""
    whole, rows = read_images(spots), slice(FEW)
    names = ("ids", "flux", "ivar", "bad", "psf_fwhm_arcsec", "pixel_scale_arcsec")
    table = Table({name: whole.table[name][rows] for name in PROPERTIES})
    return replace(whole, **{name: getattr(whole, name)[rows] for name in names}, table=table)


def saved(images: Images, **changed) -> str:
    write_images(replace(images, **changed), "images.parquet")
    return "images.parquet"


def text(name: str, content: str) -> str:
    Path(name).write_text(content)
    return name


def test_some_galaxies_are_scored_as_they_are_among_all(few, trained):
    """Where a table has other rows, or in another order, properties stay with their images."""
    every = read_table(score_file(saved(few), "all.ecsv", model=trained).output)
    chosen = [17, 3, 11, 5]
    rows = "".join(f"{i},{few.table['log_mass'][i]},{few.table['log_size'][i]}\n" for i in chosen)
    table = text("some.csv", "target_id,log_mass,log_size\n" + rows)
    run = score_file("images.parquet", "some.ecsv", model=trained, table=table)
    found = read_table(run.output)
    assert found["object_id"].tolist() == sorted(chosen)
    np.testing.assert_allclose(found["log_ratio"], every["log_ratio"][sorted(chosen)], atol=2e-3)
    assert len(read_table(run.rejects_path)) == FEW - len(chosen)
    given = {"model": trained, "given": ["log_mass"]}
    whole = read_table(posterior_file("images.parquet", "whole.ecsv", **given).output)
    part = read_table(posterior_file("images.parquet", "part.ecsv", table=table, **given).output)
    np.testing.assert_allclose(part["log_size"], whole["log_size"][sorted(chosen)], rtol=1e-3)


def test_images_that_cannot_be_used_are_set_aside(few, trained):
    flux = few.flux.copy()
    flux[0], flux[1], flux[2, ..., 1] = np.nan, 0, 0
    every = read_table(score_file(saved(few), "all.ecsv", model=trained).output)
    run = score_file(saved(few, flux=flux), "scores.ecsv", model=trained)
    rejects = read_table(run.rejects_path)
    assert rejects["row"].tolist() == [0, 1, 2]
    for reason, words in zip(
        rejects["reason"], ("bad pixels", "zero in all", "all pixels of band r"), strict=True
    ):
        assert words in reason
    np.testing.assert_allclose(read_table(run.output)["log_ratio"], every["log_ratio"][3:], atol=2e-3)


@pytest.mark.parametrize("what", ["noisier sky", "another zero point", "blurred"])
def test_images_of_another_survey_are_flagged(few, trained, what):
    flux = few.flux
    if what == "noisier sky":
        flux = flux + np.float32(0.06) * np.random.default_rng(1).normal(size=flux.shape).astype(np.float32)
    elif what == "another zero point":
        flux = 100 * flux
    else:
        flux = gaussian_filter(flux, (0, 1, 1, 0))
    path = saved(few, flux=flux)
    for call in (posterior_file, score_file):
        found = read_table(call(path, "out.ecsv", model=trained).output)
        assert np.mean(found["in_domain"]) < 0.2


def test_images_of_other_bands_are_refused(few, trained):
    with pytest.raises(ImageError, match="has the bands u, r, the model takes g, r"):
        posterior_file(saved(few, bands=("u", "r")), "out.ecsv", model=trained)


def test_bands_in_another_order_are_brought_into_that_of_the_model(few, trained):
    plain = read_table(posterior_file(saved(few), "plain.ecsv", model=trained).output)
    flipped = {name: getattr(few, name)[..., ::-1] for name in ("flux", "ivar", "bad")}
    other = read_table(
        posterior_file(saved(few, bands=("r", "g"), **flipped), "o.ecsv", model=trained).output
    )
    np.testing.assert_allclose(other["log_mass"], plain["log_mass"], rtol=1e-5)


@pytest.mark.parametrize(
    ("call", "options", "message"),
    [
        (posterior_file, {"given": ["age"]}, "age is no property of the model; these are log_mass, log_size"),
        (posterior_file, {"given": PROPERTIES}, "all properties of the model are"),
        (posterior_file, {"given": ["log_mass"] * 2}, "log_mass, log_mass: one comes twice"),
        (posterior_file, {"table": "t.csv"}, r"t\.csv: is not used.*--given COLUMN"),
        (score_file, {"table": "one.csv"}, "has no column 'log_size'.*nan stands for a property"),
        (score_file, {"table": "other.csv"}, "has no id of the images: its ids begin with 5000.*--id COLUMN"),
        (score_file, {"table": "text.csv"}, "column log_mass: expected a number.*found 'abc' in row 0"),
        (score_file, {"table": "sentinel.csv"}, "found -99 in row 0.*say --missing=-99"),
    ],
)
def test_properties_that_cannot_be_used_are_refused(few, trained, call, options, message):
    text("one.csv", "target_id,log_mass\n1,10\n")
    text("other.csv", "target_id,log_mass,log_size\n5000,10,0.3\n")
    text("text.csv", "target_id,log_mass,log_size\n1,abc,0.3\n")
    text("sentinel.csv", "target_id,log_mass,log_size\n1,-99,0.3\n")
    with pytest.raises(NebuliumError, match=message):
        call(saved(few), "out.ecsv", model=trained, **options)
    assert not Path("out.ecsv").exists()


def test_properties_of_no_galaxy_are_flagged(few, trained):
    table = text("far.csv", "target_id,log_mass,log_size\n1,30,0.3\n2,10,5\n3,10,0.3\n")
    found = read_table(score_file(saved(few), "out.ecsv", model=trained, table=table).output)
    assert found["in_domain"].tolist() == [False, False, True]


def test_the_input_is_not_written_over(few, trained):
    path = saved(few)
    table = text("wanted.parquet", "")
    for call in (
        lambda: posterior_file(path, path, model=trained),
        lambda: sample_file(table, model=trained, table=table),
    ):
        with pytest.raises(OutputError, match="is the input, which would be lost"):
            call()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b\n1,2\n", "has none of the columns target_id, log_mass, log_size"),
        ("target_id,b\n1,2\n", "has none of the columns log_mass, log_size.*name columns as the model does"),
        ("target_id,log_mass\n", "has no rows"),
        ("log_mass\n10\ninf\n", "column log_mass: expected a finite number, found inf in row 1.*write nan"),
        ("log_mass\n10\n1e300\n", r"expected a finite number, found 1e\+300 in row 1"),
        ("log_mass\nabc\n10\n", "column log_mass: expected a number, found 'abc' in row 0"),
        (
            "log_mass\n10\n-99\n",
            "no galaxies like 1 of those asked for, the first log_mass -99.*write nan for",
        ),
    ],
)
def test_tables_that_cannot_be_drawn_are_refused(trained, content, message):
    with pytest.raises(NebuliumError, match=message):
        sample_file("drawn.parquet", model=trained, table=text("wanted.csv", content))
    assert not Path("drawn.parquet").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n": 0}, "n: is 0, expected a whole number, 1 or more"),
        ({"n": -3}, "n: is -3"),
        ({"steps": 1}, "steps: is 1, expected a whole number, 2 or more"),
        ({"guidance": 0.5}, r"guidance: is 0\.5, expected a number, 1 or more"),
        ({"guidance": np.nan}, "guidance: is nan"),
        ({"output": "drawn.fits"}, r"the ending is '\.fits', not \.parquet"),
    ],
)
def test_numbers_and_names_that_make_no_sense_are_refused(trained, options, message):
    with pytest.raises(NebuliumError, match=message):
        sample_file(**{"output": "drawn.parquet", "model": trained, **options})
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize(
    ("conditions", "options", "message"),
    [
        (np.zeros((2, 3), np.float32), {}, r"have the shape \(2, 3\), expected \(n, 2\)"),
        (np.full((2, 2), np.inf, np.float32), {}, "hold an infinite number.*write nan"),
        (np.full((2, 2), np.nan, np.float32), {"steps": 0}, "steps: is 0"),
        (np.full((2, 2), np.nan, np.float32), {"guidance": -1.0}, r"guidance: is -1\.0"),
    ],
)
def test_arrays_that_cannot_be_drawn_are_refused(trained, conditions, options, message):
    with pytest.raises(NebuliumError, match=message):
        sample_images(load_model(trained), conditions, **options)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["log_mass"], "expected NAME=VALUE"),
        (["log_mass=9:x"], "log_mass is 9:x, expected a number"),
        (["log_mass=10", "log_mass=11"], "log_mass is given twice"),
        (["log_mass=inf"], "log_mass is inf, expected a number"),
    ],
)
def test_options_that_cannot_be_read_are_refused(trained, given, message):
    options = [part for one in given for part in ("--given", one)]
    found = CliRunner().invoke(
        app, ["generate", "sample", "--model", str(trained), "-o", "drawn.parquet", *options]
    )
    assert found.exit_code == 2
    assert message in " ".join(found.output.split())


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        (["word"], "column word: expected a number to predict, found 'a'"),
        (["log_mass", "same"], "column same: is 1 for every image"),
        (["log_mass", "none"], "column none: is missing for every image"),
        (["log_mas"], "has no column 'log_mas' .*--properties A,B"),
        (["log_mass", "log_mass"], "two predicted columns would be called log_mass.*each once"),
        ([], "none is given"),
        (["sentinel"], "column sentinel: expected measured values, found -99.*say --missing=-99"),
    ],
)
def test_columns_that_cannot_be_learned_are_refused(spots, properties, message):
    columns = {"log_mass": 10.0, "word": "a", "same": 1, "none": "nan", "sentinel": -99}
    rows = (f"{i},{10 + i},{('a', '1.5')[i % 2]},1,nan,{-99 if i % 7 == 0 else i}\n" for i in range(50))
    table = text("t.csv", f"target_id,{','.join(columns)}\n" + "".join(rows))
    with pytest.raises(NebuliumError, match=message):
        train_file(spots, "mine", properties=properties, table=table, config=SMALL)
    assert [path.name for path in Path().iterdir()] == ["t.csv"]


def test_columns_that_are_not_beside_the_images_are_named(spots):
    message = r"no column 'log_mas' beside the images \(these are .*log_mass, log_size\).*--properties"
    with pytest.raises(NebuliumError, match=message):
        train_file(spots, "mine", properties=["log_mas"], config=SMALL)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"size": 11}, "would have 11 pixels on a side, expected an even number"),
        ({"binning": 4}, "would have 3 pixels on a side"),
        ({"binning": 2}, f"would have 6 pixels on a side, expected an even number of at least {LEAST_SIDE}"),
        ({"size": 200}, "would have 200 pixels on a side, expected at most 128 in 2 bands.*--binning"),
        ({"size": 8, "components": 128}, "has 128 values an image, not more than the 128 components"),
        ({"size": 100}, "is smaller than half of 100 pixels"),
    ],
)
def test_sides_that_cannot_be_learned_are_refused(spots, changed, message):
    with pytest.raises(ImageError, match=message):
        train_file(spots, "mine", properties=PROPERTIES, config=replace(SMALL, **changed))
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("changed", [{"components": 0}, {"width": 0}, {"depth": 0}, {"size": 0}])
def test_settings_that_make_no_network(changed):
    with pytest.raises(ValueError, match=f"LatentConfig: {next(iter(changed))} must be at least"):
        replace(SMALL, **changed)


def test_too_few_images_are_counted(few):
    flux = few.flux.copy()
    flux[:3], flux[3:5] = np.nan, 0
    message = r"has \d+ labelled galaxies to train on and \d+ to validate; at least 200 and 20 are needed"
    with pytest.raises(NebuliumError, match=message):
        train_file(saved(few, flux=flux), "mine", properties=PROPERTIES, config=SMALL)


def test_an_interrupted_training_goes_on_to_the_same_model(spots, latent_config, monkeypatch):
    """It is stopped within its second stage, taken up, stopped within its third, and taken up again."""
    saves = RunFolder.save

    def stopped_in(stage):
        def save(folder, state, record):
            saves(folder, state, record)
            if folder.path.name == stage and record.epoch == 2:
                raise KeyboardInterrupt

        return save

    config = replace(latent_config, epochs=3, reader_epochs=3)
    options = {"properties": PROPERTIES, "config": config}
    for resume, stage in ((False, "gaussian"), (True, "diffusion")):
        with monkeypatch.context() as patch:
            patch.setattr(RunFolder, "save", stopped_in(stage))
            with pytest.raises(KeyboardInterrupt):
                train_file(spots, "mine", resume=resume, **options)
        assert not Path("mine").exists()
    train_file(spots, "mine", resume=True, **options)
    train_file(spots, "whole", **options)
    first, second = (describe_model(name).config["weights_sha256"] for name in ("mine", "whole"))
    assert first == second


@pytest.mark.parametrize(
    "arguments",
    [("train", "--properties", "z"), ("posterior", "--model", "mine"), ("score", "--model", "mine")],
    ids=lambda arguments: arguments[0],
)
def test_images_that_are_not_named_are_asked_for(arguments, tmp_path):
    done = CliRunner().invoke(app, ["generate", *arguments, "-o", str(tmp_path / "out.csv")])
    assert done.exit_code == 2
    assert "Missing argument 'DATA...'" in done.stderr
    assert not list(tmp_path.iterdir())


def test_ids_without_a_table_are_refused(trained):
    with pytest.raises(
        NebuliumError, match="id_column: objid is not used, as there is no table.*--table TABLE"
    ):
        sample_file("drawn.parquet", model=trained, id_column="objid")


def test_a_plain_string_is_one_property(spots):
    with pytest.raises(NebuliumError, match="has no column 'log_mas' beside the images"):
        train_file(spots, "mine", properties="log_mas", config=SMALL)


def test_guidance_has_no_place_where_likelihoods_are_asked(trained):
    for verb in ("score", "posterior"):
        words = ["generate", verb, "x", "--model", str(trained), "-o", "out.csv", "--guidance", "2"]
        found = CliRunner().invoke(app, words)
        assert found.exit_code == 2
        assert "No such option" in found.output


@pytest.mark.parametrize("factor", [0.3, 4.0])
def test_another_depth_is_said(few, trained, factor):
    """Deeper images have less noise of the sky, shallower ones more."""
    model = load_model(trained)
    random = np.random.default_rng(2)
    images = (factor * 0.02 * random.normal(size=few.flux.shape)).astype(np.float32)
    stretched = model.form.preparation.stretch.apply(images)
    (note,) = another_depth(stretched, model)
    assert "that of the training images by 0.0" in note
    own = model.form.preparation.stretch.apply((images / factor).astype(np.float32))
    assert another_depth(own, model) == ()


def test_a_property_that_is_the_same_for_all_that_are_trained_on_is_refused(spots):
    """It varies among the other galaxies, whose images are not learned from."""
    parts = Split().parts(np.arange(900))
    rows = (f"{i},{10 + i % 5},{1 if part == 'train' else 2 + i % 3}\n" for i, part in enumerate(parts))
    table = text("t.csv", "target_id,log_mass,same\n" + "".join(rows))
    with pytest.raises(NebuliumError, match="column same: is 1 for every training galaxy"):
        train_file(spots, "mine", properties=["log_mass", "same"], table=table, config=SMALL)
