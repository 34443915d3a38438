"""Densities in qp's files: what is read is what was written, chunk by chunk, whole or not at all."""

import sys
import tracemalloc

import h5py
import numpy as np
import pytest
from scipy import stats

from nebulium.errors import MissingExtraError, OutputError
from nebulium.photoz.density.densities import RedshiftDensities
from nebulium.photoz.density.grid import RedshiftGrid
from nebulium.photoz.density.qp_export import QpWriter, equal_bins, read_qp, rebinned

qp = pytest.importorskip("qp")

GRID = RedshiftGrid(6.0, 300)


def densities(count, seed=0):
    random = np.random.default_rng(seed)
    middle, sigma = random.uniform(0.2, 1.6, (count, 1)), random.uniform(0.02, 0.1, (count, 1))
    mass = np.diff(stats.norm.cdf((np.log1p(GRID.edges) - middle) / sigma), axis=1)
    return RedshiftDensities(GRID, mass.astype(np.float32))


def write(path, one, ids, chunk=20, **options):
    with QpWriter(path, GRID, **options) as writer:
        for first in range(0, len(one), chunk):
            rows = slice(first, first + chunk)
            writer.append(one.select(rows), ids[rows])
    return path


def test_what_is_read_is_what_was_written(tmp_path):
    # The last chunk is one galaxy: qp treats ensembles of one in another way.
    ours, ids = densities(61), np.arange(61) + 10**15
    theirs = read_qp(write(tmp_path / "pz.hdf5", ours, ids))
    assert theirs.npdf == 61
    assert theirs.ancil["target_id"].tolist() == ids.tolist()
    np.testing.assert_allclose(theirs.median()[:, 0], ours.median(), atol=1e-4)
    np.testing.assert_allclose(theirs.mean()[:, 0], ours.mean(), atol=1e-4)
    np.testing.assert_allclose(theirs.ppf(0.16)[:, 0], ours.quantile([0.16])[:, 0], atol=5e-4)
    np.testing.assert_allclose(theirs.ancil["zmode"], ours.mode())
    grid = (np.arange(600) + 0.5) * 0.01
    np.testing.assert_allclose(theirs.cdf(grid), ours.cdf_on_grid(grid), atol=2e-3)
    assert np.mean(np.abs(theirs.pdf(grid) - ours.on_grid(grid))) < 0.03 * np.mean(ours.on_grid(grid))
    edges = equal_bins(GRID)
    middle = (edges[1:] + edges[:-1]) / 2
    np.testing.assert_allclose(theirs.pdf(middle), rebinned(ours, edges), rtol=1e-5, atol=1e-12)


def test_ids_that_are_text_come_back(tmp_path):
    ids = np.array(["a", "CANDELS-17", "δ Cep"])
    theirs = read_qp(write(tmp_path / "pz.hdf5", densities(3), ids, chunk=1))
    assert theirs.ancil["target_id"].tolist() == ids.tolist()
    with pytest.raises(OutputError, match="longer than 64 bytes"):
        write(tmp_path / "long.hdf5", densities(1), np.array(["x" * 65]))


def test_coarse_bins_keep_the_probability(tmp_path):
    ours = densities(30)
    theirs = read_qp(write(tmp_path / "pz.hdf5", ours, np.arange(30), bins=60))
    assert theirs.objdata["pdfs"].shape == (30, 60)
    np.testing.assert_allclose(
        theirs.cdf(np.array([0.5, 2.0])), ours.cdf_on_grid(np.array([0.5, 2.0])), atol=1e-6
    )
    assert theirs.objdata["pdfs"].sum(axis=1) * 0.1 == pytest.approx(np.ones(30), rel=1e-6)


def test_rail_reads_it_in_pieces(tmp_path):
    path = write(tmp_path / "pz.hdf5", densities(50), np.arange(50))
    assert qp.data_length(str(path)) == 50
    pieces = [(start, part.ancil["target_id"].tolist()) for start, _, part in qp.iterator(str(path), 20)]
    assert pieces == [(0, [*range(20)]), (20, [*range(20, 40)]), (40, [*range(40, 50)])]


def test_the_file_is_small_and_memory_does_not_grow(tmp_path):
    part, ids = densities(500), np.arange(500)

    def peak(chunks):
        tracemalloc.start()
        with QpWriter(tmp_path / "pz.hdf5", GRID) as writer:
            for _ in range(chunks):
                writer.append(part, ids)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    few = peak(2)
    assert peak(10) < 1.2 * few
    with h5py.File(tmp_path / "pz.hdf5") as file:
        assert file["data/pdfs"].dtype == np.float32
        assert file["data/pdfs"].id.get_storage_size() < 0.5 * file["data/pdfs"].nbytes


def test_an_error_leaves_the_old_file(tmp_path):
    path = tmp_path / "pz.hdf5"
    path.write_text("old")
    with pytest.raises(RuntimeError), QpWriter(path, GRID) as writer:  # noqa: PT012
        writer.append(densities(2), np.arange(2))
        raise RuntimeError
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["pz.hdf5"]


def test_faults_are_named(tmp_path):
    with pytest.raises(OutputError, match=r"must end in \.hdf5"):
        QpWriter(tmp_path / "pz.fits", GRID)
    with pytest.raises(OutputError, match="would have no rows"), QpWriter(tmp_path / "pz.hdf5", GRID):
        pass
    assert list(tmp_path.iterdir()) == []
    other = RedshiftDensities(RedshiftGrid(3.0, 1), np.ones((1, 1), np.float32))
    with pytest.raises(ValueError, match="densities on"), QpWriter(tmp_path / "pz.hdf5", GRID) as writer:
        writer.append(other, np.arange(1))


def test_without_qp_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "qp", None)
    with pytest.raises(MissingExtraError, match=r"nebulium\[photoz\]"):
        QpWriter(tmp_path / "pz.hdf5", GRID)
    with pytest.raises(MissingExtraError, match=r"nebulium\[photoz\]"):
        read_qp(tmp_path / "pz.hdf5")


@pytest.mark.parametrize("bins", [1, 2, 300])
def test_bins_are_as_narrow_as_the_narrowest(bins):
    grid = RedshiftGrid(3.0, bins)
    edges = equal_bins(grid)
    assert (edges[0], edges[-1]) == (0.0, 3.0)
    assert edges[1] <= grid.edges[1] * (1 + 1e-9)
    mass = np.random.default_rng(0).dirichlet(np.ones(bins), 5).astype(np.float32)
    heights = rebinned(RedshiftDensities(grid, mass), edges)
    np.testing.assert_allclose(heights @ np.diff(edges), 1.0)
