import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from nebulium.cli import app
from nebulium.data.images.preparation import ImageForm
from nebulium.data.images.stretches import lupton_rgb
from nebulium.errors import NebuliumError
from nebulium.generate import LatentImageModel, page_file, sample_images, strip_file
from nebulium.generate.drawing.colours import colour_pictures
from nebulium.generate.drawing.figure_files import training_quantiles
from nebulium.generate.drawing.figures import stamps_figure
from nebulium.modelfile import load_model


def model_of(bands, unit, kind="none"):
    stretch = {"kind": kind, "softening": []}
    network = {"components": [2, 1, 1, 1], "width": 8, "depth": 1}
    return LatentImageModel(conditions=["z"], bands=bands, unit=unit, size=8, stretch=stretch, **network)


def test_colours_of_sdss_are_those_of_skyserver_and_upright():
    flux = np.random.default_rng(0).uniform(0, 3, (2, 8, 8, 3)).astype(np.float32)
    zero_points = "1 is the AB magnitude of the zero point: "
    for bands, unit in (
        (["g", "r", "i"], "nanomaggy"),
        (["sdss_g0", "sdss_r0", "sdss_i0"], zero_points + "sdss_g0 22.5, sdss_r0 22.5, sdss_i0 22.5"),
    ):
        assert np.array_equal(colour_pictures(model_of(bands, unit), flux)[1], lupton_rgb(flux[1, ::-1]))
    for bands, unit in ((["g", "r", "z"], "nanomaggy"), (["g", "r", "i"], "nJy"), (["g", "r", "i"], "?")):
        assert not np.array_equal(colour_pictures(model_of(bands, unit), flux)[1], lupton_rgb(flux[1, ::-1]))
    colours = np.array([[-4.0, 100.4, 300.0]], np.float32) * np.ones((1, 8, 8, 1), np.float32)
    display = model_of(["red", "green", "blue"], "display", "display")
    assert colour_pictures(display, colours)[0, 3, 5].tolist() == [0, 100, 255]
    assert isinstance(display.form, ImageForm)


def test_the_typical_galaxy_is_white_and_faint_red_ones_are_red(trained):
    model = load_model(trained)
    drawn = sample_images(model, np.full((64, 2), np.nan, np.float32), steps=16)
    pictures = colour_pictures(model, drawn).astype(float)
    core = pictures[:, 4:8, 4:8].mean(axis=(0, 1, 2))
    assert np.ptp(core) < 0.25 * core.max()
    redder = colour_pictures(model, drawn * np.array([0.3, 1.0], np.float32)).astype(float)
    assert redder[..., 0].mean() > 1.5 * redder[..., 2].mean()


def test_quantiles_are_those_of_galaxies_that_have_the_property(trained):
    # The spots: log_size is 0.3 with a scatter of 0.12, and missing of a fifth, where 0.3 would stand.
    found = training_quantiles(load_model(trained), "log_size", np.array([0.16, 0.5, 0.84]))
    np.testing.assert_allclose(found, [0.18, 0.3, 0.42], atol=0.015)


def test_only_what_varies_changes_along_a_strip(trained, tmp_path, monkeypatch):
    seen = {}

    def kept(pictures, captions, labels, outside, *, title):
        seen.update(pictures=pictures, captions=captions, outside=outside, title=title)
        return stamps_figure(pictures, captions, labels, outside, title=title)

    monkeypatch.setattr("nebulium.generate.drawing.figure_files.stamps_figure", kept)
    ends = {"low": 9.5, "high": 13.0}
    run = strip_file(tmp_path / "strip.png", model=trained, vary="log_mass", columns=8, galaxies=2, **ends)
    assert (run.images, run.out_of_domain) == (16, 8)
    assert seen["captions"] == [["9.50", "10.00", "10.50", "11.00", "11.50", "12.00", "12.50", "13.00"]]
    assert seen["outside"].tolist() == [[False] * 4 + [True] * 4] * 2
    assert "log_mass changes" in seen["title"]
    corners = seen["pictures"][:, :, :2, :2].astype(float)
    # The sky of a row is the same, that of another row another one.
    assert np.abs(corners[:, :2] - corners[:, :1]).mean() < 0.2 * np.abs(corners[0] - corners[1]).mean()
    light = seen["pictures"].astype(float).sum(axis=(2, 3, 4))
    assert np.all(light[:, 1] > light[:, 0])


def test_commands_draw_figures(trained, tmp_path):
    def run(*arguments):
        done = CliRunner().invoke(app, ["generate", *map(str, arguments)])
        assert done.exit_code == 0, done.output
        return done.output

    page, strip = tmp_path / "page.png", tmp_path / "strip.png"
    assert "16 galaxies; 0 outside" in run("page", "--model", trained, "-o", page)
    options = (
        "--model",
        trained,
        "--vary",
        "log_size",
        "--given",
        "log_mass=10",
        "--columns",
        4,
        "--galaxies",
        4,
    )
    assert "16 galaxies; 0 outside" in run("strip", *options, "-o", strip)
    for path in (page, strip):
        with Image.open(path) as picture:
            pixels = np.asarray(picture.convert("RGB"), float)
        assert picture.width > 1000
        assert pixels.std() > 20


@pytest.mark.parametrize(
    ("call", "options", "message"),
    [
        (page_file, {"given": {"log_mass": 10.0, "log_size": 0.3}}, "all properties of the model are"),
        (page_file, {"given": {"log_mass": (9.0, 10.0)}}, "log_mass is a range, expected a number"),
        (page_file, {"columns": 1}, "columns: is 1, expected a whole number, 2 or more"),
        (page_file, {"output": "page.gif"}, r"the ending is '\.gif'.*ends in \.png, \.pdf, \.svg"),
        (strip_file, {"vary": "age"}, "age is no property of the model; these are log_mass, log_size"),
        (strip_file, {"vary": "log_mass", "given": {"log_mass": 10.0}}, "log_mass is given, and is to"),
        (strip_file, {"vary": "log_mass", "low": 11.0, "high": 10.0}, "log_mass: goes from 11 to 10"),
        (strip_file, {"vary": "log_mass", "high": np.nan}, "nan.*, expected a number"),
        (strip_file, {"vary": "log_mass", "galaxies": 0}, "galaxies: is 0"),
    ],
)
def test_what_cannot_be_drawn_is_refused(trained, tmp_path, call, options, message):
    output = tmp_path / options.pop("output", "figure.png")
    with pytest.raises(NebuliumError, match=message):
        call(output, model=trained, **options)
    assert not list(tmp_path.iterdir())
