"""Training from a table: what is saved, what is split, what fails; and the simulation that checks it."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from benchmarks.lines.simulate import fit_location, simulate

from nebulium.data.rejects import Rejects
from nebulium.data.splits import Split
from nebulium.data.tables.reading import read_table
from nebulium.data.tables.table import Table
from nebulium.data.tables.writer import write_table
from nebulium.errors import TableError
from nebulium.lines.continuum.line_list import LINES
from nebulium.lines.input import FLUX_COLUMNS
from nebulium.lines.likelihood import MeasuredLines
from nebulium.lines.measured_galaxies import read_measured, usable_rows
from nebulium.lines.measurement import STRONG_OF_WEAK, WEAK
from nebulium.lines.model import LineModel
from nebulium.lines.recipe import (
    EW_COLUMNS,
    IVAR_COLUMNS,
    LinesConfig,
    TrainingGalaxies,
    fit_galaxies,
    new_model,
    train,
)
from nebulium.lines.training_file import train_file
from nebulium.modelfile import describe_model, load_model

# The validation part is one batch of the calibration, for which there is then one program to compile.
N = 2300
SMALL = LinesConfig(width=16, depth=2, epochs=2, batch_size=256)


def made_up_table(n: int, seed: int = 0) -> Table:
    """Galaxies whose lines follow their first colour; one measurement in five is missing."""
    rng = np.random.default_rng(seed)
    flux = np.exp(0.2 * rng.standard_normal((n, 12)) + rng.standard_normal((n, 1)))
    ew = np.exp(np.log(flux[:, 1:2] / flux[:, :1]) + 0.3 * rng.standard_normal((n, 10)) + 1.0)
    ivar = np.exp(rng.standard_normal((n, 10)))
    ew = np.maximum(ew + rng.standard_normal((n, 10)) / np.sqrt(ivar), 1e-3)
    missing = rng.random((n, 10)) < 0.2
    ew[missing] = ivar[missing] = np.nan
    columns = {"target_id": np.arange(n) + 10**15, "redshift": rng.uniform(0.06, 0.3, n)}
    columns |= dict(zip(FLUX_COLUMNS, flux.T, strict=True))
    columns |= dict(zip(EW_COLUMNS, ew.T, strict=True)) | dict(zip(IVAR_COLUMNS, ivar.T, strict=True))
    return Table(columns, name="made_up.parquet")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Table, Path]:
    table = made_up_table(N)
    return table, train(table, tmp_path_factory.mktemp("models") / "small", config=SMALL)


def test_folder_says_what_it_is(trained: tuple[Table, Path]) -> None:
    table, folder = trained
    described = describe_model(folder)
    parts = Split().parts(table["target_id"])
    sizes = {part: int(np.sum(parts == part)) for part in ("train", "validation", "test")}
    assert described.config["split"]["galaxies"] == sizes
    assert described.config["trained_on"] == "made_up.parquet"
    assert "not recorded" in described.card
    assert set(described.config["measurement"]["noise_scale"]) == set(LINES)


def test_loaded_model_predicts_as_the_trained_one(trained: tuple[Table, Path]) -> None:
    _, folder = trained
    again = train(made_up_table(N), folder.with_name("again"), config=SMALL)
    flux, z = jnp.ones(12), jnp.array(0.1)
    one, other = (load_model(path, of=LineModel).median_ew(flux, z) for path in (folder, again))
    np.testing.assert_array_equal(one, other)


def test_run_folder_tells_the_loss_of_each_epoch(trained: tuple[Table, Path]) -> None:
    _, folder = trained
    lines = (folder.with_name(folder.name + ".run") / "network" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2]


def test_test_rows_do_not_reach_training(tmp_path: Path, trained: tuple[Table, Path]) -> None:
    """Whatever the test rows hold, the model is the same."""
    table, folder = trained
    held_out = Split().parts(table["target_id"]) == "test"
    spoilt = {name: np.where(held_out, 7.0, table[name]) for name in (*EW_COLUMNS, *IVAR_COLUMNS)}
    other = train(table.with_columns(spoilt), tmp_path / "spoilt", config=SMALL)
    flux, z = jnp.ones(12), jnp.array(0.1)
    np.testing.assert_array_equal(load_model(folder).median_ew(flux, z), load_model(other).median_ew(flux, z))


def test_a_training_interrupted_before_its_first_step_is_resumed_from_nothing(
    tmp_path: Path, trained: tuple[Table, Path]
) -> None:
    table, folder = trained
    again = load_model(train(table, tmp_path / "again", config=SMALL, resume=True))
    flux, z = jnp.ones(12), jnp.array(0.1)
    np.testing.assert_array_equal(load_model(folder).median_ew(flux, z), again.median_ew(flux, z))


def test_too_few_galaxies_are_named(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="at least 200 and 200 are needed"):
        train(made_up_table(300), tmp_path / "few", config=SMALL)
    assert not list(tmp_path.iterdir())


def test_a_row_with_a_gap_teaches_nothing() -> None:
    table = made_up_table(5)
    flux = table[FLUX_COLUMNS[3]].copy()
    flux[2] = np.nan
    rejects = Rejects()
    usable = usable_rows(table.with_columns({FLUX_COLUMNS[3]: flux}), rejects, with_luminosity=True)
    assert len(usable) == 4
    assert rejects.summary() == "1 row set aside: 1 a bin is missing"


def test_measured_lines_are_read_without_their_ivar(tmp_path: Path) -> None:
    table = made_up_table(3)
    columns = {name: values for name, values in table.columns.items() if name not in IVAR_COLUMNS}
    write_table(Table(columns), tmp_path / "lines.parquet")
    assert len(read_measured(tmp_path / "lines.parquet", need_ivar=False)) == 3
    with pytest.raises(TableError, match="ew_ivar_"):
        read_measured(tmp_path / "lines.parquet")


def test_the_split_names_the_column_of_ids(tmp_path: Path) -> None:
    table = made_up_table(N)
    renamed = {"TARGETID" if name == "target_id" else name: of for name, of in table.columns.items()}
    write_table(Table(renamed), tmp_path / "lines.parquet")
    run = train_file(tmp_path / "lines.parquet", tmp_path / "mine", config=SMALL, id_column="TARGETID")
    assert describe_model(run.model).config["split"]["id_column"] == "TARGETID"


def test_missing_column_is_named(tmp_path: Path) -> None:
    table = made_up_table(30)
    columns = {name: values for name, values in table.columns.items() if name != "ew_HALPHA"}
    with pytest.raises(TableError, match="ew_HALPHA"):
        train(Table(columns, name="short.parquet"), tmp_path / "m", config=SMALL)


def test_statistics_are_not_trained(trained: tuple[Table, Path]) -> None:
    table, folder = trained
    galaxies = TrainingGalaxies.from_table(table.select(Split().parts(table["target_id"]) == "train"))
    before, after = new_model(galaxies, SMALL), load_model(folder, of=LineModel)
    np.testing.assert_array_equal(before.feature_mean, after.feature_mean)
    np.testing.assert_array_equal(before.brightness_std, after.brightness_std)
    assert np.any(np.asarray(before.marginals.weight) != np.asarray(after.marginals.weight))
    assert np.any(np.asarray(before.measurement.raw_selection) != np.asarray(after.measurement.raw_selection))


def test_first_guess_is_near_the_measurements() -> None:
    galaxies = TrainingGalaxies.from_table(made_up_table(2000))
    model = new_model(galaxies, SMALL)
    guess = np.log(np.asarray(jax.vmap(model.median_ew)(galaxies.continuum_flux, galaxies.redshift)))
    free = np.setdiff1d(np.arange(10), WEAK)
    assert np.all(np.abs(np.median(guess, axis=0) - 1.0)[free] < 0.6)


@pytest.mark.parametrize("selection", ["truncated", "censored"])
def test_other_selections_train(selection: str) -> None:
    galaxies = TrainingGalaxies.from_table(made_up_table(600))
    config = LinesConfig(width=8, depth=2, epochs=2, batch_size=256, selection=selection)
    result = fit_galaxies(galaxies, galaxies, config=config)
    assert result.history[1].loss < result.history[0].loss
    assert float(result.model.measurement.selection.most.min()) == 1.0


def test_simulated_measurements_look_like_the_survey(nebulium_data: Path) -> None:
    """Missing lines and S/N of the simulation are those of the data, to some tens of per cent."""
    path = nebulium_data / "desi" / "desi_edr_emission_lines.parquet"
    galaxies = TrainingGalaxies.from_table(read_table(path).select(slice(0, 4000)))
    model = load_model("desi-lines")
    simulated = simulate(model, galaxies, fit_location(model, galaxies), jax.random.key(0))
    truth, lines = simulated.true_ew_aa, simulated.galaxies.lines
    assert np.all(truth > 0)
    missing, expected = (1 - np.asarray(m.present).mean(axis=0) for m in (lines, galaxies.lines))
    assert np.all(np.abs(missing - expected) < 0.12)
    typical = _median_snr(lines) / _median_snr(galaxies.lines)
    assert np.all((typical > 0.6) & (typical < 1.6))
    both = np.asarray(lines.present & ~lines.at_bound)
    for weak, strong in zip(WEAK, STRONG_OF_WEAK, strict=True):
        rows = both[:, weak] & both[:, strong]
        measured = np.asarray(lines.ew_aa)[rows]
        np.testing.assert_allclose(
            measured[:, weak] / measured[:, strong], (truth[:, weak] / truth[:, strong])[rows], rtol=1e-3
        )


def _median_snr(lines: MeasuredLines) -> np.ndarray:
    snr = np.where(lines.present, lines.ew_aa / lines.sigma_aa, np.nan)
    return np.nanmedian(snr, axis=0)
