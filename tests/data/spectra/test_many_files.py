"""Lines of many files of spectra, which need not be alike: a few at a time, as if each were alone."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from nebulium.data.spectra import reading
from nebulium.data.spectra.reading import read_spectra
from nebulium.data.spectra.spectrum_set import Spectra
from nebulium.data.spectra.writing import write_spectra
from nebulium.data.tables.reading import read_table
from nebulium.data.tables.table import Table
from nebulium.data.tables.writer import write_table
from nebulium.errors import NebuliumError, SpectrumError
from nebulium.lines import input as lines_input
from nebulium.lines.continuum.line_list import LINES
from nebulium.lines.injection import file as injection
from nebulium.lines.injection.file import inject_file
from nebulium.lines.predict import predict_file

MODEL = "desi-lines-colours"


def made(first: int, n: int, pixels: int, **more) -> Spectra:
    wave = np.tile(np.arange(3600.0, 3600.0 + pixels, dtype=np.float32), (n, 1))
    flux = np.full_like(wave, 2.0)
    return Spectra(np.arange(first, first + n), wave, flux, np.ones_like(wave), np.full(n, 0.1), **more)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Four files of two spectra each: of other lengths, some with warnings or a line-spread function."""
    for module in (reading, lines_input):
        few = partial(reading.iter_spectra, spectra_per_chunk=3)
        monkeypatch.setattr(module, "iter_spectra", few)
    (tmp_path / "in").mkdir()
    lsf = {"lsf_sigma_aa": np.ones((2, 6100), np.float32)}
    flags = {"columns": {"zwarn": np.array([0, 4]), "spectype": np.array(["GALAXY", "GALAXY"])}}
    more = {"c": lsf, "d": flags}
    for place, (name, pixels) in enumerate({"a": 6200, "b": 6000, "c": 6100, "d": 6200}.items(), start=1):
        spectra = made(10 * place, 2, pixels, **more.get(name, {}))
        write_spectra(spectra, tmp_path / "in" / f"{name}.parquet")
    return tmp_path / "in"


@pytest.fixture
def ews(tmp_path):
    ids = np.array([10, 11, 20, 21, 30, 31, 40, 41])
    columns = {"target_id": ids, **{f"ew_{line}": 0.5 * np.arange(1.0, 9.0) for line in LINES}}
    write_table(Table(columns, dict.fromkeys(list(columns)[1:], "Angstrom")), tmp_path / "ews.parquet")
    return tmp_path / "ews.parquet"


@pytest.mark.parametrize("ending", ["parquet", "fits", "fits.gz"])
def test_lines_go_into_many_files_as_into_each(folder, ews, tmp_path, ending, monkeypatch):
    sizes = []
    inject = injection.inject_lines

    def counted(spectra, *widths, **more):
        sizes.append(len(spectra))
        return inject(spectra, *widths, **more)

    monkeypatch.setattr(injection, "inject_lines", counted)
    output = tmp_path / f"out.{ending}"
    run = inject_file(folder, output, ew=ews)
    assert sizes == [4, 3]
    together, lines = read_spectra(output), read_table(run.lines_path)
    assert together.ids.tolist() == [10, 11, 20, 21, 30, 31, 40]
    assert lines["object_id"].tolist() == together.ids.tolist()
    assert [name[-9:] for name in lines["file"]] == [f"{name}.parquet" for name in "aabbccd"]
    assert lines.metadata["lines_added"]["ew"] == str(ews)
    assert run.rejects.rows().tolist() == [7]
    assert np.isfinite(together.lsf_sigma_aa[:, 0]).tolist() == [False] * 4 + [True] * 2 + [False]
    for name, rows in (("a", [0, 1]), ("b", [2, 3]), ("c", [4, 5]), ("d", [6])):
        alone = read_spectra(inject_file(folder / f"{name}.parquet", tmp_path / "one.parquet", ew=ews).output)
        pixels = alone.flux_lambda.shape[1]
        np.testing.assert_allclose(together.flux_lambda[rows, :pixels], alone.flux_lambda, rtol=1e-5)
        np.testing.assert_array_equal(together.ivar[rows, :pixels], alone.ivar)
        assert not together.ivar[rows, pixels:].any()
    assert not list(tmp_path.glob(".partial*"))


def test_a_failure_in_the_middle_leaves_what_was_there(folder, ews, tmp_path):
    kept = inject_file(folder / "a.parquet", tmp_path / "out.parquet", ew=ews)
    before = [kept.output.read_bytes(), kept.lines_path.read_bytes()]
    write_spectra(made(10, 2, 6000), folder / "e.parquet")
    with pytest.raises(NebuliumError, match="holds the id 10, which .*a.parquet holds as well"):
        inject_file(folder, tmp_path / "out.parquet", ew=ews)
    assert [kept.output.read_bytes(), kept.lines_path.read_bytes()] == before
    assert not list(tmp_path.glob(".partial*"))


@pytest.mark.parametrize("ending", ["parquet", "ecsv", "csv", "fits"])
def test_flags_that_some_files_have(folder, tmp_path, ending):
    output = tmp_path / f"out.{ending}"
    assert predict_file(folder, output, model=MODEL, keep_flagged=True).rows == 8
    table = read_table(output)
    np.testing.assert_array_equal(table["zwarn"], [*[np.nan] * 6, 0, 4])
    assert table["spectype"].tolist() == [*[""] * 6, "GALAXY", "GALAXY"]
    assert predict_file(folder, output, model=MODEL).rows == 7
    assert "zwarn" not in read_table(output)


def test_ids_of_one_output_are_all_numbers_or_all_text(folder, tmp_path):
    named = replace(made(50, 2, 6000), ids=np.array(["J1", "J2"]))
    write_spectra(named, folder / "e.parquet")
    with pytest.raises(SpectrumError, match=r"e.parquet: has ids that are text \(J1\).* name it first"):
        predict_file(folder, tmp_path / "out.parquet", model=MODEL)
    files = [folder / "e.parquet", folder / "a.parquet", folder / "b.parquet"]
    predict_file(files, tmp_path / "out.parquet", model=MODEL)
    assert read_table(tmp_path / "out.parquet")["object_id"].tolist() == ["J1", "J2", "10", "11", "20", "21"]
