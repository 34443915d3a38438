"""The page as files: what they hold, and what becomes of hostile texts, full disks and folders in use."""

import base64
import errno
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from nebulium.cli import app
from nebulium.data.tables.table import Table
from nebulium.data.tables.writer import write_table
from nebulium.errors import OutputError, TableError
from nebulium.explore.export.data import MOST_POINTS, PageData
from nebulium.explore.export.encoding import packed, script
from nebulium.explore.export.spectra import spectra_of
from nebulium.explore.export.writing import PAGE, export_page
from nebulium.explore.page.explored import FIRST_QUANTITY, Explored
from nebulium.explore.sample.galaxies import Galaxies

HOSTILE = (
    "<script>window.harmed=1</script>",
    "</ScRiPt><!--",
    "<img src=x onerror=window.harmed=1>",
    "__proto__",
    "{{7*7}}${7*7}",
    "\u2028\u2029",
    "\ud800",
    '"\\',
)
#: A column of the made-up galaxies, and one of their ids.
HOSTILE_COLUMN, HOSTILE_ID = HOSTILE[0], HOSTILE[2]


def numbers(of) -> np.ndarray:
    return np.frombuffer(base64.b64decode(of["data"]), f"<{of['type']}").astype(np.float64)


def given(text: str) -> tuple[str, dict]:
    """What a script of data gives to the page."""
    name, _, rest = text.removeprefix("nebulium.give(").partition(", JSON.parse(")
    return json.loads(name), json.loads(json.loads(rest.removesuffix("));\n")))


@pytest.fixture(scope="module")
def data(explored) -> PageData:
    return PageData(explored)


@pytest.fixture(scope="module")
def folder(explored, tmp_path_factory) -> Path:
    return export_page(explored, tmp_path_factory.mktemp("export") / "page").folder


@pytest.fixture
def small(explored):
    """The first sixty, all of which have a place in the map."""
    galaxies, whole = explored.galaxies, explored.galaxy_map
    values = {name: column[:60] for name, column in galaxies.values.items()}
    few = Galaxies(galaxies.name, galaxies.ids[:60], values)
    embedding = replace(whole.embedding, ids=few.ids, xy=whole.embedding.xy[:60], fitted=np.ones(60, bool))
    return Explored(few, replace(whole, embedding=embedding))


def test_numbers_survive():
    values = np.array([0.0, -1.5, 3e-5, 1e30, np.nan])
    np.testing.assert_array_equal(numbers(packed(values, "f4")), values.astype(np.float32))
    np.testing.assert_allclose(numbers(packed(values, "f2")), [0.0, -1.5, 3e-5, 65504, np.nan], rtol=2e-3)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_are_data(text):
    written = script("a", {"texts": [text], text: 1})
    assert written.isascii()
    assert not set("<>&") & set(written)
    assert written.count("\n") == 1
    assert given(written) == ("a", {"texts": [text], text: 1})


def test_a_sample_of_many_galaxies_is_the_same_each_time(data, explored):
    assert len(data.rows) == MOST_POINTS < len(data.placed) == len(explored.galaxies) - 3
    np.testing.assert_array_equal(data.rows, PageData(explored).rows)
    assert (np.diff(data.rows) > 0).all()
    assert np.isfinite(explored.xy[data.rows]).all()


def test_few_galaxies_are_all_there(small):
    data = PageData(small)
    galaxies = dict(data.scripts([]))["galaxies"]
    assert galaxies["cells"] is None
    assert galaxies["ids"][0] == HOSTILE_ID
    np.testing.assert_array_equal(numbers(galaxies["x"]), small.xy[:, 0])


def test_cells_hold_means_of_all_galaxies(data, explored):
    galaxies = dict(data.scripts([]))["galaxies"]
    cells = galaxies["cells"]
    at = int(np.argmax(numbers(cells["at"])))
    row, column = divmod(int(numbers(cells["at"])[at]), cells["width"])
    offset = explored.xy - [cells["x0"] + column * cells["dx"], cells["y0"] + row * cells["dy"]]
    inside = (np.abs(offset) < 0.5 * np.array([cells["dx"], cells["dy"]])).all(axis=1)
    place = next(i for i, columns in enumerate(data.colours) if columns == ("redshift",))
    colour = dict(data.scripts([]))[f"colour-{place}"]
    mean = explored.galaxies.values["redshift"][inside].mean(keepdims=True)
    expected = explored.scale("redshift").colours_of(mean)
    assert abs(numbers(colour["panels"][0]["cells"])[at] - expected[0]) <= 1


def test_lines_come_first_and_in_three_panels_on_one_scale(data):
    assert data.colours[0] == tuple(f"{what}{FIRST_QUANTITY}" for what in ("", "predicted_", "drawn_"))
    scripts = dict(data.scripts([]))
    assert [len(one["panels"]) for one in scripts["galaxies"]["colours"]] == [3] * 10 + [1] * 2
    first = scripts["galaxies"]["first"]
    assert scripts["galaxies"]["colours"][first]["label"] == "EW(Hα) / Å"
    assert set(scripts[f"colour-{first}"]["axis"]) == {"light", "dark"}


def test_columns_without_a_number_have_no_colour(data):
    columns = {column for colour in data.colours for column in colour}
    assert HOSTILE_COLUMN in columns
    assert not {"__proto__", "continuum_flux_0"} & columns


def test_columns_that_read_the_same_are_told_apart(small):
    same = {"a  b": np.arange(60.0), "a b": np.arange(60.0)}
    galaxies = replace(small.galaxies, values={**small.galaxies.values, **same})
    names = dict(PageData(replace(small, galaxies=galaxies)).scripts([]))["galaxies"]["colours"]
    assert {"a b (a  b)", "a b (a b)"} <= {one["label"] for one in names}


def test_spectra_are_those_of_the_table(small):
    rows = np.array([3, 55])
    spectra = spectra_of(small, rows)
    flux = numbers(spectra["shape"]).reshape(2, 12) * numbers(spectra["level"])[:, None]
    np.testing.assert_allclose(flux, small.galaxies.continuum[rows], rtol=1e-3)
    alpha = next(line for line in spectra["lines"] if line["label"] == "Hα")
    for part, column in {"measured": "ew_HALPHA", "high": "predicted_ew_HALPHA_q84"}.items():
        np.testing.assert_allclose(numbers(alpha[part]), small.galaxies.values[column][rows], rtol=1e-3)


def test_galaxies_with_photometry_alone_show_it(small):
    flux = {"flux_njy_<g>": np.ones(60), "flux_njy_r": np.full(60, 1e9), "flux_njy_err_r": np.ones(60)}
    galaxies = Galaxies("a.parquet", small.galaxies.ids, flux)
    spectra = spectra_of(replace(small, galaxies=galaxies), np.array([7]))
    assert spectra["bands"] == ["&lt;g&gt;", "r"]
    np.testing.assert_array_equal(numbers(spectra["flux"]), [1.0, 1e9])
    np.testing.assert_array_equal(numbers(spectra["error"]), [np.nan, 1.0])


def test_galaxies_without_spectra_still_have_a_map(small, tmp_path):
    galaxies = Galaxies("a.parquet", small.galaxies.ids, {"age": np.arange(60.0)})
    page = export_page(replace(small, galaxies=galaxies), tmp_path / "page")
    assert not (page.folder / "data" / "spectra.js").exists()


def test_the_folder_tells_what_it_holds(folder, explored):
    readme = (folder / "README.txt").read_text(encoding="utf-8")
    for told in ("<b>made up</b>.parquet, 24,000 rows", "made up, seed", "desi-lines", "with seed 0"):
        assert told in readme
    files = [file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()]
    assert {"page/plotly.min.js", "page/plotly-license.txt", "index.html", "data/galaxies.js"} <= set(files)
    assert "<title>&lt;b&gt;made up&lt;/b&gt;.parquet</title>" in (folder / "index.html").read_text("utf-8")
    assert sum((folder / file).stat().st_size for file in files) < 15e6


def test_nothing_makes_html_of_a_text():
    ways = ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "fetch(", "import(")
    text = "".join(source.read_text(encoding="utf-8") for source in PAGE.glob("*.js"))
    assert text
    assert [way for way in ways if way in text] == []


def test_what_is_no_page_is_not_replaced(small, tmp_path):
    (tmp_path / "page").mkdir()
    (tmp_path / "page" / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="other things in it"):
        export_page(small, tmp_path / "page")
    assert [file.name for file in (tmp_path / "page").iterdir()] == ["mine.txt"]


def test_a_full_disk_leaves_nothing(small, tmp_path, monkeypatch):
    write = Path.write_text

    def full(path, text, **options):
        if path.name == "README.txt":
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, text, **options)

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OutputError, match="disk is full"):
        export_page(small, tmp_path / "page")
    assert list(tmp_path.iterdir()) == []


def test_without_a_map_there_is_nothing_to_write(small, tmp_path):
    with pytest.raises(TableError, match="no map"):
        export_page(replace(small, galaxy_map=None), tmp_path / "page")
    assert list(tmp_path.iterdir()) == []


def test_the_command_writes_a_page(tmp_path):
    rng = np.random.default_rng(1)
    columns = {f"flux_njy_{band}": rng.lognormal(0.0, 1.0, 20) for band in "gri"}
    write_table(Table({"target_id": np.arange(20), **columns}), tmp_path / "mine.parquet")
    arguments = ["explore", str(tmp_path / "mine.parquet"), "--export", str(tmp_path / "page")]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert "20 galaxies" in done.output
    assert (tmp_path / "page" / "index.html").is_file()
    (tmp_path / "page" / "left.txt").write_text("of the earlier page")
    assert CliRunner().invoke(app, arguments).exit_code == 0
    assert not (tmp_path / "page" / "left.txt").exists()
