"""A store gives what was prepared, in any order, and notices what is wrong with it."""

import json
import tempfile
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nebulium.data.images.opening import open_images
from nebulium.data.images.preparation import ImageForm, Preparation, prepared_chunks
from nebulium.data.images.store import ImageStore
from nebulium.data.images.stretches import Stretch
from nebulium.data.rejects import Rejects
from nebulium.errors import ImageError, OutputError

N = 12
BAD = 4
SETTINGS = {
    "colours": Preparation(8, Stretch("display")),
    "colours, binned": Preparation(8, Stretch("display"), 2),
    "padded": Preparation(12, Stretch("asinh", (0.1, 0.2, 0.3))),
    "binned": Preparation(8, Stretch("asinh", (0.1, 0.2, 0.3)), 4),
    "as they are": Preparation(6, Stretch("none")),
}
BYTES = {"colours": 1, "colours, binned": 2, "padded": 2, "binned": 2, "as they are": 4}


def make_source(folder, kind):
    rng = np.random.default_rng(0)
    images = rng.integers(1, 255, (N, 10, 9, 3)).astype(np.uint8)
    if kind != "display":
        images = images * np.float32(1e4)
    images[BAD] = 0
    np.save(folder / "cube.npy", images)
    np.save(folder / "cube.ids.npy", 100 - np.arange(N))
    return open_images(folder / "cube.npy")


@pytest.fixture(scope="module", params=SETTINGS.items(), ids=SETTINGS)
def made(request, tmp_path_factory):
    name, preparation = request.param
    folder = tmp_path_factory.mktemp("store")
    source = make_source(folder, preparation.stretch.kind)
    rejects = Rejects()
    store = ImageStore.create(folder / "store", source, preparation, rejects=rejects)
    return name, preparation, source, store, rejects


def all_prepared(source, preparation, **more):
    chunks = list(prepared_chunks(source, preparation, rejects=Rejects(), **more))
    return np.concatenate([one.ids for one in chunks]), np.concatenate([one.images for one in chunks])


class TestEveryStore:
    def test_it_holds_what_was_prepared(self, made):
        _, preparation, source, store, _ = made
        ids, images = all_prepared(source, preparation)
        np.testing.assert_array_equal(store.ids, ids)
        np.testing.assert_array_equal(store.take(np.arange(len(store))), images)
        assert store.shape == images.shape
        assert images.dtype == np.float32

    @given(rows=st.lists(st.integers(0, N - 2), max_size=20))
    def test_rows_in_any_order_and_any_number_of_times(self, made, rows):
        _, _, _, store, _ = made
        rows = np.array(rows, np.int64)
        whole = store.take(np.arange(len(store)))
        np.testing.assert_array_equal(store.take(rows), whole[rows])

    def test_one_equals_a_batch(self, made):
        _, preparation, source, _, _ = made
        for batch in (1, 5):
            for one, other in zip(
                all_prepared(source, preparation), all_prepared(source, preparation, batch=batch), strict=True
            ):
                np.testing.assert_array_equal(one, other)

    def test_what_cannot_be_used_is_set_aside(self, made):
        _, _, _, store, rejects = made
        assert len(store) == N - 1
        assert 100 - BAD not in store.ids
        assert rejects.rows().tolist() == [BAD]
        assert rejects.summary() == "1 row set aside: 1 is zero in all pixels"

    def test_opened_again_it_is_the_same(self, made):
        _, preparation, source, store, _ = made
        again = ImageStore(store.folder)
        np.testing.assert_array_equal(again.ids, store.ids)
        np.testing.assert_array_equal(again.take(np.array([3, 1])), store.take(np.array([3, 1])))
        assert again.form == store.form == ImageForm(source.bands, source.unit, preparation)

    def test_it_is_no_larger_than_need_be(self, made):
        name, _, _, store, _ = made
        size = (store.folder / "pixels.bin").stat().st_size
        assert size == int(np.prod(store.shape)) * BYTES[name]


SOME_ROWS = st.lists(st.integers(0, N - 1), min_size=1, max_size=15).filter(lambda rows: set(rows) != {BAD})


@given(rows=SOME_ROWS)
@settings(max_examples=30)
def test_a_store_has_the_order_of_the_rows_asked_for(rows):
    with tempfile.TemporaryDirectory() as scratch:
        source = make_source(Path(scratch), "display")
        ids, images = all_prepared(source, SETTINGS["colours"])
        store = ImageStore.create(
            f"{scratch}/store", source, SETTINGS["colours"], rows=np.array(rows), rejects=Rejects()
        )
        kept = [row for row in rows if row != BAD]
        np.testing.assert_array_equal(store.ids, source.ids[kept])
        places = [ids.tolist().index(identifier) for identifier in store.ids]
        np.testing.assert_array_equal(store.take(np.arange(len(store))), images[places])


def test_the_stretch_comes_after_the_bins(tmp_path):
    source = make_source(tmp_path, "none")
    _, plain = all_prepared(source, Preparation(8, Stretch("none"), 2))
    _, stretched = all_prepared(source, Preparation(8, Stretch("asinh", (9e4,) * 3), 2))
    np.testing.assert_allclose(stretched, np.arcsinh(plain / np.float32(9e4)), rtol=1e-3)


def test_fluxes_beyond_half_precision_are_kept(tmp_path):
    _, images = all_prepared(make_source(tmp_path, "none"), SETTINGS["as they are"])
    assert images.max() > 1e6
    assert np.isfinite(images).all()


def test_small_images_are_set_aside(tmp_path):
    np.save(tmp_path / "a.npy", np.ones((2, 8, 5, 1), np.float32))
    source = open_images(tmp_path / "a.npy")
    rejects = Rejects()
    assert list(prepared_chunks(source, Preparation(11, Stretch("none")), rejects=rejects)) == []
    assert rejects.summary() == "2 rows set aside: 2 is smaller than half of 11 pixels"
    assert len(list(prepared_chunks(source, Preparation(10, Stretch("none")), rejects=Rejects()))) == 1


def test_no_image_to_use_is_no_store(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((2, 8, 8, 1), np.float32))
    with pytest.raises(ImageError, match="no image that can be used: 2 rows set aside: 2 is zero in"):
        ImageStore.create(
            tmp_path / "store",
            open_images(tmp_path / "a.npy"),
            Preparation(8, Stretch("none")),
            rejects=Rejects(),
        )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npy"]


def test_another_stretch_is_refused_before_anything_is_read(tmp_path):
    source = make_source(tmp_path, "display")
    with pytest.raises(ImageError, match="expected fluxes for the stretch asinh"):
        ImageStore.create(tmp_path / "store", source, SETTINGS["padded"], rejects=Rejects())


def test_a_binning_that_does_not_fit_is_refused():
    with pytest.raises(ImageError, match="3 does not divide a size of 8 pixels"):
        Preparation(8, Stretch("none"), 3)


def test_progress_counts_what_was_read(tmp_path):
    told = []
    source = make_source(tmp_path, "display")
    ImageStore.create(tmp_path / "s", source, SETTINGS["colours"], progress=told.append, rejects=Rejects())
    assert told == [N]


@pytest.mark.usefixtures("small_files_only")
def test_a_full_disk_leaves_nothing(tmp_path):
    np.save(tmp_path / "a.npy", np.ones((100, 8, 8, 1), np.uint8))
    source = open_images(tmp_path / "a.npy")
    with pytest.raises(OutputError, match="store: cannot be written: the disk is full"):
        ImageStore.create(tmp_path / "store", source, SETTINGS["colours"], rejects=Rejects())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npy"]


@pytest.fixture
def small_files_only(monkeypatch):
    """Every image of the store ends on a full disk."""

    def no_space(self, images):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Preparation, "to_disk", no_space)


def test_threads_may_read_at_once(tmp_path):
    source = make_source(tmp_path, "display")
    store = ImageStore.create(tmp_path / "store", source, SETTINGS["colours"], rejects=Rejects())
    whole = store.take(np.arange(len(store)))
    same = []

    def read(seed):
        rng = np.random.default_rng(seed)
        for _ in range(50):
            rows = rng.integers(0, len(store), 7)
            same.append(np.array_equal(store.take(rows), whole[rows]))

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert same == [True] * 200


@pytest.fixture
def store(tmp_path):
    source = make_source(tmp_path, "display")
    return ImageStore.create(tmp_path / "store", source, SETTINGS["colours"], rejects=Rejects())


@pytest.mark.parametrize("name", ["pixels.bin", "store.json", "ids.npy", "places.npy"])
def test_a_store_that_is_not_whole_is_refused(store, name):
    file = store.folder / name
    content = file.read_bytes()
    for part in (content[:-10], None):
        file.write_bytes(part) if part is not None else file.unlink()
        with pytest.raises(ImageError, match=f"store: is not a whole store of images .*{name}"):
            ImageStore(store.folder)


def test_a_file_that_shrinks_is_noticed(store):
    with (store.folder / "pixels.bin").open("r+b") as file:
        file.truncate(100)
    with pytest.raises(ImageError, match=r"pixels.bin ends too early"):
        store.take(np.array([5]))


def test_a_store_of_another_format_is_refused(store):
    about = json.loads((store.folder / "store.json").read_text())
    (store.folder / "store.json").write_text(json.dumps({**about, "format": 99}))
    with pytest.raises(ImageError, match="has the format 99, this version of nebulium reads 1"):
        ImageStore(store.folder)
