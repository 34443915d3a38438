"""Surveys, whole: the same galaxies however they are made, stopped runs, bad input, what the folder tells."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from nebulium.data.glossary import lookup
from nebulium.data.images.mmu import read_images
from nebulium.data.tables.reading import read_table
from nebulium.data.tables.table import Table
from nebulium.data.tables.writer import write_table
from nebulium.errors import ImageError, NebuliumError, OutputError, SurveyError, TableError
from nebulium.mock.images.on_sky import kpc_per_arcsec
from nebulium.mock.survey import making as survey_module
from nebulium.mock.survey.blocks import BLOCK, BlockMaker
from nebulium.mock.survey.columns import MOST_NEIGHBOURS
from nebulium.mock.survey.making import make_survey
from nebulium.mock.survey.pictures import show_survey
from nebulium.mock.survey.run_file import RUN_FILE, WORK, RunSettings, read_run, start_run
from nebulium.mock.survey.shards import shard_paths
from nebulium.mock.survey.survey_list import SURVEYS, find_survey
from nebulium.mock.survey.workers import make_blocks

# Images by the hundred take longer than their compilation.
pytestmark = pytest.mark.usefixtures("optimised_programs")

N, SEED = 140, 3
OPTIONS = {"n": N, "seed": SEED, "pixels": 16, "neighbours": 0.7}
PNG = {"stamps_by_redshift.png", "stamps_by_metallicity.png", "relations.png"}


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """One process, one file, never stopped."""
    folder = tmp_path_factory.mktemp("plain") / "mock"
    done = []
    run = make_survey("sdss", folder, **OPTIONS, progress=done.append)
    assert (run.galaxies, run.made, done) == (N, N, [64, 128, 140])
    return folder


def without_pictures(patch):
    patch.setattr(survey_module, "show_survey", lambda folder: [])


def images_of(folder: Path) -> np.ndarray:
    shards = read_run(folder).settings.shards
    return np.concatenate([read_images(path).flux for path in shard_paths(folder, shards)])


def assert_same_survey(one: Path, other: Path) -> None:
    first, second = (read_table(folder / "catalogue.parquet") for folder in (one, other))
    assert list(first.columns) == list(second.columns)
    for name in first.columns:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)
    np.testing.assert_allclose(images_of(one), images_of(other), rtol=0, atol=1e-6)


# --- the same galaxies --------------------------------------------------------------------------------------


def test_two_processes_and_seven_files_make_the_same_galaxies(plain, tmp_path, monkeypatch):
    without_pictures(monkeypatch)
    make_survey("sdss", tmp_path / "mock", **OPTIONS, processes=2, shards=7)
    assert len(list((tmp_path / "mock" / "data").iterdir())) == 7
    assert_same_survey(plain, tmp_path / "mock")


def processes_of_group(group: int) -> list[int]:
    listed = subprocess.run(["ps", "-eo", "pid,pgid"], capture_output=True, text=True, check=True)
    rows = [line.split() for line in listed.stdout.splitlines()[1:]]
    return [int(pid) for pid, of in rows if int(of) == group]


def test_a_killed_run_goes_on_where_it_was(plain, tmp_path, monkeypatch):
    folder = tmp_path / "mock"
    call = f"make_survey('sdss', {str(folder)!r}, **{OPTIONS})"
    code = f"from nebulium.mock.survey.making import make_survey; {call}"
    process = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
    while not list((folder / WORK).glob("block-*")) and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (folder / "catalogue.parquet").exists()
    # The process that made the block ends by itself once nobody asks it for more.
    for _ in range(600):
        if not processes_of_group(process.pid):
            break
        time.sleep(0.1)
    assert processes_of_group(process.pid) == []
    (folder / WORK / ".partial-1-half").write_text("half a block")
    without_pictures(monkeypatch)
    with pytest.raises(OutputError, match="holds a survey that was stopped.*--resume"):
        make_survey("sdss", folder, **OPTIONS)
    run = make_survey("sdss", folder, **OPTIONS, resume=True)
    assert 0 < run.made < N
    assert_same_survey(plain, folder)
    assert not list(folder.rglob(".partial-*"))
    assert not (folder / WORK).exists()


def test_a_finished_run_is_left_as_it_is(plain, monkeypatch):
    without_pictures(monkeypatch)
    before = (plain / "catalogue.parquet").stat().st_mtime_ns
    assert make_survey("sdss", plain, **OPTIONS, resume=True).made == 0
    assert (plain / "catalogue.parquet").stat().st_mtime_ns == before


def test_a_finished_survey_stays_until_the_new_one_is_complete(plain, tmp_path, monkeypatch):
    without_pictures(monkeypatch)
    folder = Path(shutil.copytree(plain, tmp_path / "mock"))
    smaller = OPTIONS | {"n": 2, "pixels": 8, "shards": 1}
    with monkeypatch.context() as patch:
        patch.setattr(survey_module, "make_blocks", raising(OSError))
        with pytest.raises(OSError, match="broken"):
            make_survey("sdss", folder, **smaller)
    assert len(read_table(tmp_path / "mock.replaced" / "catalogue.parquet")) == N
    assert make_survey("sdss", folder, **smaller, resume=True).made == 2
    assert len(read_table(folder / "catalogue.parquet")) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["mock"]
    with pytest.raises(OutputError, match=r"holds the input .*catalogue\.parquet, which would be lost"):
        make_survey("sdss", folder, n=1, table=folder / "catalogue.parquet")


def raising(kind):
    def fail(*_, **__):
        raise kind("broken")

    return fail


def test_a_shorter_run_in_this_process_makes_the_same_galaxies(plain):
    maker = BlockMaker(RunSettings("sdss", 70, SEED, 16, OPTIONS["neighbours"], shards=1))
    catalogue = read_table(plain / "catalogue.parquet")
    block = maker(1).images
    assert block.ids.tolist() == list(range(64, 70))
    for name in block.table.columns:
        np.testing.assert_array_equal(block.table[name], catalogue[name][64:70], err_msg=name)
    np.testing.assert_allclose(block.flux, images_of(plain)[64:70], rtol=0, atol=1e-6)


def test_another_seed_makes_other_galaxies(plain):
    maker = BlockMaker(RunSettings("sdss", 2, SEED + 1, 16, 0.0, shards=1))
    mass = np.asarray(maker.galaxies(0).properties.log_mstar)
    assert len(np.intersect1d(mass, read_table(plain / "catalogue.parquet")["log_mstar"])) == 0


# --- what is in it ------------------------------------------------------------------------------------------


def test_the_folder_explains_itself(plain):
    names = {path.name for path in plain.iterdir()}
    assert names == {"README.md", "catalogue.parquet", "data", "figures", "run.json"}
    assert {path.name for path in (plain / "figures").iterdir()} == PNG
    run = json.loads((plain / RUN_FILE).read_text())
    assert (run["survey"], run["n"], run["seed"]) == ("sdss", N, SEED)
    assert run["versions"]["galsim"]
    text = (plain / "README.md").read_text()
    columns = read_table(plain / "catalogue.parquet").columns
    assert [name for name in columns if f"`{name}`" not in text] == []
    assert "seed 3" in text or "--seed 3" in text
    assert "not in it" in text


def test_the_readme_runs(plain, monkeypatch):
    monkeypatch.chdir(plain)
    code = (plain / "README.md").read_text().split("```python\n")[1].split("```")[0]
    exec(compile(code, "README.md", "exec"), {})


def test_every_column_is_in_the_glossary(plain):
    catalogue = read_table(plain / "catalogue.parquet")
    assert [name for name in catalogue.columns if lookup(name) is None] == []
    for name, unit in catalogue.units.items():
        assert lookup(name).unit == unit


def test_selection_and_truth(plain):
    catalogue = read_table(plain / "catalogue.parquet")
    assert catalogue["target_id"].tolist() == list(range(N))
    assert np.all(catalogue["mag_ab_obs_sdss_r0"] < 17.77)
    assert np.all(catalogue["selected"])
    bands = ("sdss_u0", "sdss_g0", "sdss_r0", "sdss_i0", "sdss_z0")
    assert [name for name in catalogue.columns if name.startswith("mag_ab_sdss")] == [
        f"mag_ab_{band}" for band in bands
    ]
    assert read_images(shard_paths(plain, 1)[0], rows=[0]).bands == ("sdss_g0", "sdss_r0", "sdss_i0")
    for band in bands:
        pull = (catalogue[f"flux_njy_obs_{band}"] - catalogue[f"flux_njy_{band}"]) / catalogue[
            f"flux_njy_err_{band}"
        ]
        # The limit takes in some that noise has made bright, no more.
        assert abs(pull.mean()) < 4 / np.sqrt(N)
        assert 0.8 < pull.std() < 1.2
        mag = 31.4 - 2.5 * np.log10(catalogue[f"flux_njy_{band}"])
        np.testing.assert_allclose(catalogue[f"mag_ab_{band}"], mag, atol=2e-3)
    labelled = np.isfinite(catalogue["redshift_spec"])
    assert 0.85 < labelled.mean() < 1.0
    np.testing.assert_allclose(
        catalogue["redshift_spec"][labelled], catalogue["redshift"][labelled], atol=6e-4
    )


def test_neighbours_are_other_galaxies_of_the_block(plain):
    catalogue = read_table(plain / "catalogue.parquet")
    ids = np.stack([catalogue[f"neighbour_id_{k}"] for k in range(MOST_NEIGHBOURS)], axis=1)
    there = np.isfinite(ids)
    np.testing.assert_array_equal(there.sum(axis=1), catalogue["n_neighbours"])
    assert 0.4 < catalogue["n_neighbours"].mean() < 1.0
    row, _ = np.nonzero(there)
    assert np.all(ids[there] // BLOCK == row // BLOCK)
    assert np.all(ids[there] != row)


def test_images_hold_the_flux(plain):
    """Of galaxies alone in their stamp and small in it, within the noise and what lies outside."""
    catalogue, flux = read_table(plain / "catalogue.parquet"), images_of(plain)
    r = 1
    total = flux[..., r].sum(axis=(1, 2)) * 3631.0
    share = total / catalogue["flux_njy_sdss_r0"]
    alone = catalogue["n_neighbours"] == 0
    assert 0.6 < np.median(share[alone]) < 1.02


def test_pictures_are_drawn_anew(plain, tmp_path):
    paths = show_survey(plain)
    assert {path.name for path in paths} == PNG
    assert all(path.stat().st_size > 10_000 for path in paths)


# --- galaxies of one's own ----------------------------------------------------------------------------------


def own_table(n: int = 70) -> Table:
    rng = np.random.default_rng(0)
    columns = {
        "redshift": rng.uniform(0.02, 0.2, n),
        "log_mstar": rng.uniform(8.0, 11.5, n),
        "age_gyr": rng.uniform(2.0, 9.0, n),
        "tau_gyr": rng.uniform(0.5, 9.0, n),
        "av_mag": rng.uniform(0.0, 1.0, n),
        "oh12": rng.uniform(8.2, 8.9, n),
        "lgmet": rng.uniform(-2.2, -1.6, n),
    }
    return Table(columns, name="mine.parquet")


def test_a_table_of_ones_own_is_kept_row_by_row(tmp_path, monkeypatch):
    without_pictures(monkeypatch)
    write_table(own_table(), tmp_path / "mine.parquet")
    options = {"pixels": 8, "neighbours": 0.5, "table": tmp_path / "mine.parquet"}
    run = make_survey("sdss", tmp_path / "mock", **options)
    catalogue = read_table(tmp_path / "mock" / "catalogue.parquet")
    assert run.galaxies == len(catalogue) == 70
    for name, values in own_table().columns.items():
        np.testing.assert_allclose(catalogue[name], values, rtol=1e-6)
    bright = catalogue["mag_ab_obs_sdss_r0"] < 17.77
    scales = np.array([kpc_per_arcsec(float(z)) for z in catalogue["redshift"]])
    fits = catalogue["half_light_radius_kpc"] / scales < find_survey("sdss").largest_arcsec()
    np.testing.assert_array_equal(catalogue["selected"], bright & fits)
    assert np.any(bright & ~fits)
    assert 0 < catalogue["selected"].sum() < 70
    assert np.nanmax(catalogue["neighbour_id_0"]) < 70
    with pytest.raises(OutputError, match="the run there has table"):
        make_survey("sdss", tmp_path / "mock", n=70, pixels=8, neighbours=0.5, resume=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda t: t.with_columns({"av_mag": np.where(np.arange(70) == 7, np.nan, 0.1)}),
            r"column av_mag: .* found nan in row 7\. ",
        ),
        (
            lambda t: t.with_columns({"log_mstar": np.full(70, -1.0)}),
            r"column log_mstar: .* found -1 in rows 0, ",
        ),
        (
            lambda t: t.with_columns({"redshift": np.full(70, 40.0)}),
            r"column redshift: .* found 40 in rows 0, ",
        ),
        (
            lambda t: Table({k: v for k, v in t.columns.items() if k != "redshift"}, name="mine.parquet"),
            "has no column 'redshift'",
        ),
        (lambda t: t.select([]), "no rows"),
    ],
    ids=["NaN", "negative mass", "redshift", "missing column", "empty"],
)
def test_a_bad_table_is_an_error_and_leaves_nothing(tmp_path, change, message):
    with pytest.raises(TableError, match=message):
        make_survey("sdss", tmp_path / "mock", table=change(own_table()))
    assert not list(tmp_path.iterdir())


# --- bad input ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("survey", "options", "message"),
    [
        ("sdds", {"n": 5}, "survey sdds: is not known .did you mean sdss"),
        ("sdss", {}, "n: is not given"),
        ("sdss", {"n": 0}, "n: is 0"),
        ("sdss", {"n": 5, "shards": 6}, "shards: is 6, more than the 5 galaxies"),
        ("sdss", {"n": 5, "seed": -1}, "seed: is -1"),
        ("sdss", {"n": 5, "pixels": 0}, "pixels: is 0"),
        ("sdss", {"n": 5, "neighbours": float("nan")}, "neighbours: is nan"),
        ("sdss", {"n": 5, "processes": 0}, "processes: is 0"),
        ("sdss", {"n": 5, "spectra": "boss"}, "spectra: is 'boss', expected one of noiseless, sdss, desi"),
        ("sdss", {"n": 71, "table": own_table()}, "n: is 71, but the table has 70 rows"),
    ],
)
def test_bad_options_are_errors_and_leave_nothing(tmp_path, survey, options, message):
    with pytest.raises(NebuliumError, match=message):
        make_survey(survey, tmp_path / "mock", **options)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_empty_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("ten years of work")
    with pytest.raises(OutputError, match="other things in it, which would be lost"):
        make_survey("sdss", tmp_path, n=5)
    with pytest.raises(OutputError, match="it is a file"):
        make_survey("sdss", tmp_path / "thesis.txt", n=5)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path, monkeypatch):
    with pytest.raises(OutputError, match="there is no folder .*mkdir -p"):
        make_survey("sdss", tmp_path / "no" / "such", n=5)

    def refuse(self, *args, **kwargs):
        raise PermissionError(13, "Permission denied", str(self))

    # As root, which tests may run as, the mode of a folder is no obstacle.
    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(OutputError, match="not permitted"):
        make_survey("sdss", tmp_path / "mock", n=5)


def test_a_disk_that_is_too_small_is_told_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(survey_module.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 10**6}))
    with pytest.raises(OutputError, match=r"would need 0\.5 GB, the disk has 0\.0 GB free"):
        make_survey("sdss", tmp_path / "mock", n=10_000)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 4}, "has seed = 3, this one 4"),
        ({"survey": "legacy"}, "has survey = sdss, this one legacy"),
        ({"n": 141}, "has n = 140, this one 141"),
        ({"pixels": 32}, "has pixels = 16, this one 32"),
        ({"shards": 2}, "has shards = 1, this one 2"),
        ({"spectra": "desi"}, "has spectra = None, this one desi"),
    ],
)
def test_another_run_is_not_taken_up(plain, change, message):
    options = {"survey": "sdss", "output": plain, **OPTIONS, **change}
    before = (plain / RUN_FILE).read_text()
    with pytest.raises(OutputError, match=message):
        make_survey(**options, resume=True)
    assert (plain / RUN_FILE).read_text() == before


def test_another_version_is_not_taken_up(tmp_path):
    start_run(tmp_path / "mock", RunSettings("sdss", 5, 0, 16, 0.0, 1))
    document = json.loads((tmp_path / "mock" / RUN_FILE).read_text())
    document["versions"]["galsim"] = "1.0"
    (tmp_path / "mock" / RUN_FILE).write_text(json.dumps(document))
    with pytest.raises(OutputError, match=r"versions\.galsim = 1\.0"):
        make_survey("sdss", tmp_path / "mock", n=5, pixels=16, neighbours=0.0, resume=True)


@pytest.mark.parametrize("content", [None, "{", "[]", '{"format": 99}', '{"format": 1}'])
def test_a_folder_without_a_run_cannot_be_resumed(tmp_path, content):
    if content is not None:
        (tmp_path / RUN_FILE).write_text(content)
    with pytest.raises(OutputError, match="holds no mock survey|is of format 99"):
        make_survey("sdss", tmp_path, n=5, resume=True)


def test_a_run_from_before_there_were_spectra_has_none(tmp_path):
    start_run(tmp_path / "mock", RunSettings("sdss", 5, 0, 16, 0.0, 1, spectra="desi"))
    document = json.loads((tmp_path / "mock" / RUN_FILE).read_text())
    assert read_run(tmp_path / "mock").settings.spectra == document.pop("spectra") == "desi"
    (tmp_path / "mock" / RUN_FILE).write_text(json.dumps(document))
    assert read_run(tmp_path / "mock").settings.spectra is None


def test_pictures_of_an_unfinished_run_are_an_error(tmp_path):
    start_run(tmp_path / "mock", RunSettings("sdss", 5, 0, 16, 0.0, 1))
    with pytest.raises(OutputError, match="no finished survey.*--resume"):
        show_survey(tmp_path / "mock")


# --- processes ----------------------------------------------------------------------------------------------


def test_a_fault_in_a_process_is_told_here(tmp_path):
    start_run(tmp_path / "mock", replace(RunSettings("sdss", 5, 0, 16, 0.0, 1), survey="none"))
    with pytest.raises(SurveyError, match="survey none: is not known"):
        make_blocks(tmp_path / "mock", [0], processes=1)


def test_a_process_that_dies_is_told_here(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(SurveyError, match=r"ended with code 1 \(it printed nothing\)"):
        make_blocks(tmp_path, [0, 1], processes=2)


# --- the surveys --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(SURVEYS))
def test_every_survey_names_what_there_is(name):
    survey = find_survey(name)
    assert survey.limit.band in survey.instrument().band_names
    assert 0.0 <= survey.neighbours_per_stamp(survey.instrument().stamp_pixels) < 2.5
    assert asdict(survey)["about"]


def test_the_settings_cut_all_galaxies_into_files():
    run = RunSettings("sdss", 100, 0, 16, 0.0, shards=7)
    assert [index for rows in run.shard_rows() for index in rows] == list(range(100))
    assert os.fspath(shard_paths(Path("a"), 7)[6]) == "a/data/mock-00006-of-00007.parquet"


def test_a_galaxy_that_cannot_be_drawn_is_named():
    """Its row is what a user of a table of his own needs to know."""
    table = own_table(3)
    near = table.with_columns({"redshift": np.full(3, 1e-4), "log_mstar": np.full(3, 12.0)})
    # A survey of which another test has compiled the galaxies of a table.
    maker = BlockMaker(RunSettings("sdss", 3, 0, 8, 0.0, shards=1), near)
    with pytest.raises(ImageError, match="galaxy 0, the galaxy: needs"):
        maker(0)
    assert not np.any(np.asarray(maker.galaxies(0).selected))
