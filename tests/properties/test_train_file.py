import numpy as np
import pyarrow.parquet
import pytest

from nebulium.data.images.mmu import Images, write_images
from nebulium.data.tables.table import Table
from nebulium.data.tables.writer import write_table
from nebulium.errors import OutputError
from nebulium.modelfile import REQUIRED, save_model
from nebulium.properties import training_file
from nebulium.properties.model import PropertyModel
from nebulium.properties.training_file import train_file as run


@pytest.fixture
def asked(tmp_path, monkeypatch) -> dict:
    """What the recipe is asked for; no training follows."""
    given: dict = {}

    def stop(galaxies, labelled, split, config, run):
        given.update(source=galaxies.source, labelled=labelled, rejects=run.rejects)
        raise OutputError("training", "was only a test", "train")

    monkeypatch.setattr(training_file, "train_on_galaxies", stop)
    monkeypatch.chdir(tmp_path)
    return given


def test_bands_come_in_the_order_of_the_model_to_start_from(asked):
    shape = {
        "targets": ["oh12"], "bands": ["g", "r"], "unit": "", "size": 8, "encoder": "resnet-small",
        "stretch": {"kind": "none", "softening": []}, "head": "gaussian", "domain_references": 8,
    }  # fmt: skip
    config = dict.fromkeys(REQUIRED, "") | {"hyperparameters": shape}
    save_model("start", PropertyModel(**shape), config=config, card="")
    np.savez("images.npz", images=np.ones((4, 8, 8, 2), np.float32), ids=np.arange(4), bands=["r", "g"])
    write_table(Table({"target_id": np.arange(4), "oh12": np.arange(4.0)}), "labels.ecsv")
    with pytest.raises(OutputError, match="was only a test"):
        run(
            "images.npz",
            "labels.ecsv",
            "mine",
            targets=["oh12"],
            config=training_file.PropertiesConfig(init="start"),
        )
    assert asked["source"].bands == ("g", "r")


def test_labels_may_stand_beside_the_images(asked):
    flux = np.ones((3, 8, 8, 1), np.float32)
    images = Images(np.array(["a", "b", "c"]), ("r",), flux, flux, flux < 0, *np.ones((2, 3, 1), np.float32))
    write_images(images, "images.parquet")
    table = pyarrow.parquet.read_table("images.parquet")
    pyarrow.parquet.write_table(table.append_column("oh12", [[8.1, 8.2, -99.0]]), "images.parquet")
    with pytest.raises(OutputError, match="was only a test"):
        run("images.parquet", None, "mine", targets=["oh12"], missing=-99)
    assert asked["labelled"].ids.tolist() == ["a", "b"]
    assert asked["rejects"].rows().tolist() == [2]
