"""Outputs appear whole or not at all, and the message says why not."""

import errno
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest

from nebulium.data.output import check_not_input, check_place, file_stem, output_error, replace_on_success
from nebulium.data.rejects import Rejects, rejects_path, write_rejects
from nebulium.data.tables.table import Table
from nebulium.data.tables.writer import TableWriter, write_table
from nebulium.errors import OutputError

TABLE = Table({"redshift": np.arange(3.0)})


def test_a_file_appears_when_the_block_ends(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("old")
    with replace_on_success(target) as partial:
        partial.write_text("new")
        assert target.read_text() == "old"
        assert partial.suffix == ".txt"
    assert target.read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("folder", [False, True])
def test_nothing_is_left_after_an_error(tmp_path, error, folder):
    def fail():
        with replace_on_success(tmp_path / "out") as partial:
            if folder:
                partial.mkdir()
                (partial / "x").write_text("half")
            else:
                partial.write_text("half")
            raise error

    with pytest.raises(error):
        fail()
    assert not list(tmp_path.iterdir())


def test_a_folder_replaces_a_folder_of_its_kind(tmp_path):
    for text in ("old", "new"):
        with replace_on_success(tmp_path / "model", folder_with="config.json") as partial:
            partial.mkdir(exist_ok=True)
            (partial / "config.json").write_text("{}")
            (partial / text).write_text(text)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == ["config.json", "new"]


def test_an_empty_folder_is_filled(tmp_path):
    with replace_on_success(tmp_path, folder_with="config.json") as partial:
        partial.mkdir()
        (partial / "config.json").write_text("{}")
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]


@pytest.mark.parametrize("folder_with", [None, "scores.json"])
def test_a_folder_of_another_kind_is_left_alone(tmp_path, folder_with):
    thesis = tmp_path / "mine" / "thesis.tex"
    thesis.parent.mkdir()
    thesis.write_text("all of it")
    expected = "it is a folder, and a file" if folder_with is None else "would be lost .there is no scores"
    with (
        pytest.raises(OutputError, match=expected),
        replace_on_success(tmp_path / "mine", folder_with=folder_with),
    ):
        pass
    assert thesis.read_text() == "all of it"
    assert list(tmp_path.iterdir()) == [thesis.parent]


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "real").mkdir()
    target = tmp_path / "real" / "a.txt"
    target.write_text("old")
    (tmp_path / "link.txt").symlink_to(target)
    with replace_on_success(tmp_path / "link.txt") as partial:
        partial.write_text("new")
    assert (tmp_path / "link.txt").is_symlink()
    assert target.read_text() == "new"


def test_a_device_is_not_replaced():
    with pytest.raises(OutputError, match="/dev/full: cannot be written: it is a device"):
        write_to(Path("/dev/full"))
    assert not Path("/dev/full").is_file()


def write_to(path):
    with replace_on_success(path) as partial:
        partial.write_text("x")


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(OutputError, match=r"there is no folder .*nowhere.*mkdir -p"):
        write_to(tmp_path / "nowhere" / "a.txt")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="there is no folder|cannot be written"):
        write_to(tmp_path / "file" / "a.txt")


def test_a_read_only_folder(tmp_path, monkeypatch):
    def refuse(self, *args, **kwargs):
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    # As root, which tests may run as, the mode of a folder is no obstacle.
    monkeypatch.setattr(Path, "touch", refuse)
    with pytest.raises(OutputError, match="not permitted.*choose a folder"):
        write_to(tmp_path / "a.txt")


def test_a_name_that_is_too_long(tmp_path):
    with pytest.raises(OutputError, match="too long"):
        write_to(tmp_path / ("a" * 300))


def test_a_full_disk_under_plain_writing(tmp_path):
    def fill():
        with replace_on_success(tmp_path / "a.txt"), Path("/dev/full").open("w") as device:
            device.write("x" * 100_000)

    with pytest.raises(OutputError, match=r"a\.txt: cannot be written: the disk is full.*free some space"):
        fill()
    assert not list(tmp_path.iterdir())


def test_a_full_disk_under_parquet(tmp_path, monkeypatch):
    def full(self, *args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pyarrow.parquet.ParquetWriter, "write_table", full)
    with pytest.raises(OutputError, match="the disk is full"):
        write_table(TABLE, tmp_path / "a.parquet")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("ending", [".parquet", ".fits", ".ecsv"])
def test_a_file_size_limit_is_a_full_disk(tmp_path, ending):
    script = (
        "import resource, signal, sys, numpy as np\n"
        "from nebulium.data.tables.table import Table\nfrom nebulium.data.tables.writer import write_table\n"
        "from nebulium.errors import OutputError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))\n"
        "try:\n    write_table(Table({'redshift': np.random.default_rng(0).random(20000)}), sys.argv[1])\n"
        "except OutputError as error:\n    print(error)\n"
    )
    path = tmp_path / f"a{ending}"
    done = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, check=True)
    assert re.search("too large for this disk|disk is full", done.stdout), done.stdout + done.stderr
    assert not list(tmp_path.iterdir())


def test_an_error_of_the_input_is_not_one_of_the_output(tmp_path):
    def read():
        with replace_on_success(tmp_path / "a.txt"):
            Path("/nonexistent/input").read_text()

    with pytest.raises(FileNotFoundError):
        read()


def test_kill_leaves_no_half_file(tmp_path):
    script = (
        "import signal, sys, time, numpy as np\nfrom nebulium.data.tables.table import Table\n"
        "from nebulium.data.tables.writer import TableWriter\n"
        # A shell's background job ignores Ctrl-C, and so would its children.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "with TableWriter(sys.argv[1]) as writer:\n"
        "    writer.append(Table({'redshift': np.zeros(10)}))\n"
        "    print('on', flush=True)\n    time.sleep(60)\n"
    )
    target = tmp_path / "a.parquet"
    target.write_text("old")
    with subprocess.Popen([sys.executable, "-c", script, target], stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert target.read_text() == "old"
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([sys.executable, "-c", script, target], **pipes) as process:
        process.stdout.readline()
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        process.wait()
    assert target.read_text() == "old"
    # Only the killed one could not clean up.
    assert len(list(tmp_path.glob(".partial-*"))) == 1


def test_chunks_must_agree(tmp_path):
    def write(other):
        with TableWriter(tmp_path / "a.parquet") as writer:
            writer.append(TABLE)
            writer.append(other)

    for other in (Table({"z": np.zeros(1)}), Table({"redshift": np.array(["x"])})):
        with pytest.raises(OutputError, match="same columns|same types"):
            write(other)
    assert not list(tmp_path.iterdir())


def test_fits_refuses_what_it_cannot_hold(tmp_path):
    with pytest.raises(OutputError, match="note.*ASCII.*Parquet"):
        write_table(Table({"note": np.array(["\u03b1"])}), tmp_path / "a.fits")
    with pytest.raises(OutputError, match="date.*datetime64"):
        write_table(Table({"date": np.array(["2026-01-01"], "datetime64[D]")}), tmp_path / "a.fits")


def test_rejects_are_written_in_the_order_of_the_rows(tmp_path):
    rejects = Rejects()
    rejects.add([5], np.array([50]), "redshift is negative")
    faults = [('flux is "NaN", or worse', np.array([True, False]))]
    rejects.set_aside(faults, np.array([10, 20]), rows=np.array([1, 2]))
    path = rejects.write(tmp_path / "lines.fits.gz")
    assert path == tmp_path / "lines.rejects.csv"
    assert path.read_text().splitlines() == [
        "row,target_id,reason",
        '1,10,"flux is ""NaN"", or worse"',
        "5,50,redshift is negative",
    ]
    assert len(rejects) == 2
    assert rejects.rows().tolist() == [1, 5]


def test_rejects_call_the_ids_what_the_input_calls_them(tmp_path):
    rejects = Rejects()
    rejects.add([5], np.array([50]), "redshift is negative")
    path = rejects.write(tmp_path / "lines.fits", id_column="TARGETID")
    assert path.read_text() == "row,TARGETID,reason\n5,50,redshift is negative\n"


def test_no_rejects_no_file_not_even_an_old_one(tmp_path):
    stale = tmp_path / "lines.rejects.csv"
    stale.write_text("row,target_id,reason\n1,2,of yesterday\n")
    assert Rejects().write(tmp_path / "lines.parquet") is None
    assert not stale.exists()
    assert Rejects().write(tmp_path / "lines.parquet") is None


def test_where_rejects_go():
    assert rejects_path("a/b.parquet") == Path("a/b.rejects.csv")
    assert rejects_path("runs/desi.v1") == Path("runs/desi.v1.rejects.csv")
    assert os.fspath(rejects_path("b.ecsv")) == "b.rejects.csv"


def test_a_name_becomes_part_of_the_name_of_a_file():
    assert file_stem("O/H") == "O_H"


def test_what_the_system_says_comes_with_a_mend():
    error = output_error("lines.parquet", OSError(28, "No space left on device"))
    assert error.problem == "cannot be written: the disk is full"
    assert error.mend == "free some space, or write to another disk"


def test_a_folder_with_other_things_is_no_place(tmp_path):
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(OutputError, match="is a folder with other things in it, which would be lost"):
        check_place(tmp_path, folder_with="scores.json")


def test_an_input_is_no_output(tmp_path):
    source = tmp_path / "a.parquet"
    check_not_input(source, tmp_path / "b.parquet")
    source.write_text("")
    with pytest.raises(OutputError, match="is the input, which would be lost"):
        check_not_input(source, source)


def test_a_folder_takes_the_place_of_one_of_its_kind_alone(tmp_path):
    check_place(tmp_path / "model", folder_with="config.json")
    with pytest.raises(OutputError, match="there is no folder .*nowhere. To mend: make it first: mkdir"):
        check_place(tmp_path / "nowhere" / "model", folder_with="config.json")
    (tmp_path / "thesis.txt").write_text("ten years of work")
    with pytest.raises(OutputError, match="other things in it, which would be lost"):
        check_place(tmp_path, folder_with="config.json")
    with pytest.raises(OutputError, match="it is a file, and a folder is to be written"):
        check_place(tmp_path / "thesis.txt", folder_with="config.json")
    (tmp_path / "config.json").write_text("{}")
    check_place(tmp_path, folder_with="config.json")


def test_without_rejects_no_list_is_written(tmp_path):
    assert write_rejects(Rejects(), tmp_path / "lines.parquet") is None
    assert list(tmp_path.iterdir()) == []
