from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import equinox as eqx
import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import strategies as st

from nebulium.data.rejects import Rejects
from nebulium.data.spectra.reading import Spectra, read_sdss_lines, read_spectra
from nebulium.data.spectra.writing import write_spectra
from nebulium.data.tables.reading import read_table
from nebulium.data.tables.table import Table, concatenate
from nebulium.data.tables.writer import write_table
from nebulium.errors import NebuliumError, OutputError, TableError
from nebulium.lines import quantiles as quantiles_module
from nebulium.lines.continuum.features import features_from_spectra, log_luminosity
from nebulium.lines.continuum.line_list import LINES, line_index
from nebulium.lines.injection.file import inject_file
from nebulium.lines.injection.spectra import inject_lines
from nebulium.lines.input import FEWEST_BINS, FLUX_COLUMNS, SMALLEST
from nebulium.lines.measured_galaxies import read_measured, usable_rows
from nebulium.lines.model import LineModel, with_statistics
from nebulium.lines.predict import LinePredictor, predict_file, predict_table
from nebulium.lines.quantiles import QUANTILES, median_ews
from nebulium.verbs import NamedModel

# Quantiles by the thousand take longer than their compilation.
pytestmark = pytest.mark.usefixtures("optimised_programs")

EW_COLUMNS = [f"ew_{line}_{name}" for line in LINES for name in QUANTILES]
BATCH = 16


@pytest.fixture(scope="module", autouse=True)
def small_batches():
    """The size of the batches changes nothing but the time that a padded one takes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quantiles_module, "BATCH", BATCH)
        patch.setattr(quantiles_module, "SMALL_BATCH", BATCH)
        yield


def tiny_model(*, with_luminosity: bool) -> LineModel:
    """Random weights, statistics and domain of galaxies like those of `galaxies`."""
    model = LineModel(
        with_luminosity=with_luminosity,
        width=8,
        depth=2,
        noise_width=8,
        key=jax.random.key(int(with_luminosity)),
    )
    table = galaxies(2048, seed=1)
    flux = np.stack([table[name] for name in FLUX_COLUMNS], axis=1)
    redshift = table["redshift"].astype(np.float32)
    model = with_statistics(model, jnp.asarray(flux), jnp.asarray(redshift))
    reference = jax.vmap(model.features)(jnp.asarray(flux), jnp.asarray(redshift))
    return eqx.tree_at(
        lambda m: (m.domain.reference, m.domain.most_distance),
        model,
        (reference, jnp.asarray(1.0, jnp.float32)),
    )


def galaxies(n: int, *, seed: int = 0) -> Table:
    rng = np.random.default_rng(seed)
    slope = rng.normal(0.0, 0.05, (n, 1))
    flux = 10.0 ** (rng.normal(0.7, 0.3, (n, 1)) + slope * np.arange(12) + rng.normal(0.0, 0.01, (n, 12)))
    columns = {"target_id": 39627646512693250 + np.arange(n), "redshift": rng.uniform(0.06, 0.3, n)}
    columns |= {name: flux[:, j].astype(np.float32) for j, name in enumerate(FLUX_COLUMNS)}
    return Table(columns)


WITH_LUMINOSITY, COLOURS_ONLY = tiny_model(with_luminosity=True), tiny_model(with_luminosity=False)


def with_range(low: float, high: float) -> LineModel:
    """The model with luminosity, told that it was trained between two luminosities."""
    bounds = jnp.array([low, high], jnp.float32)
    return eqx.tree_at(lambda m: m.log_luminosity_range, WITH_LUMINOSITY, bounds)


def assert_same(one: Table, other: Table, columns=EW_COLUMNS):
    for name in columns:
        np.testing.assert_allclose(one[name], other[name], rtol=2e-5, err_msg=name)


def ivar_columns(n: int, value: float) -> dict:
    return {f"ew_ivar_{line}": np.full(n, value) for line in LINES}


# What a table holds


def test_columns_units_and_order():
    table = predict_table(galaxies(5), model=WITH_LUMINOSITY).table
    assert list(table.columns) == ["target_id", *EW_COLUMNS, "in_domain", "model", "n_missing_bins"]
    assert {table.units[name] for name in EW_COLUMNS} == {"Angstrom"}
    np.testing.assert_array_equal(table["target_id"], galaxies(5)["target_id"])
    assert table["in_domain"].dtype == bool


def test_quantiles_are_those_of_the_density():
    table = galaxies(3)
    flux = np.stack([table[name] for name in FLUX_COLUMNS], axis=1)
    predicted = predict_table(table, model=WITH_LUMINOSITY).table
    for row in range(3):
        density = WITH_LUMINOSITY.density(
            jnp.asarray(flux[row]), jnp.asarray(table["redshift"][row], jnp.float32)
        )
        expected = density.quantile(jnp.array([0.5, 0.16, 0.84, 0.025, 0.975]))
        found = [[predicted[f"ew_{line}_{name}"][row] for line in LINES] for name in QUANTILES]
        np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_the_medians_alone_are_those_of_the_table():
    table = galaxies(20)
    flux = np.stack([table[name] for name in FLUX_COLUMNS], axis=1)
    medians = median_ews(WITH_LUMINOSITY, flux, table["redshift"].astype(np.float32))
    predicted = predict_table(table, model=WITH_LUMINOSITY).table
    np.testing.assert_allclose(
        medians, np.stack([predicted[f"ew_{line}_q50"] for line in LINES], axis=1), rtol=1e-5
    )


def test_intrinsic_columns_do_not_know_the_ivar():
    table = galaxies(7)
    with_ivar = table.with_columns(ivar_columns(7, 3.0))
    one, other = (predict_table(t, model=WITH_LUMINOSITY).table for t in (table, with_ivar))
    for name in one.columns:
        np.testing.assert_array_equal(one[name], other[name])


def test_observed_columns_know_the_ivar_of_the_row():
    table = galaxies(4)
    typical = predict_table(table, model=COLOURS_ONLY, observed=True).table
    unknown = predict_table(table.with_columns(ivar_columns(4, 0.0)), model=COLOURS_ONLY, observed=True).table
    noisy = predict_table(table.with_columns(ivar_columns(4, 1e-4)), model=COLOURS_ONLY, observed=True).table
    assert_same(typical, unknown)
    width = lambda t: t["ew_HALPHA_q84"] - t["ew_HALPHA_q16"]  # noqa: E731
    assert np.all(width(noisy) > 3 * width(typical))


def test_far_from_the_training_set_is_flagged():
    table = galaxies(6)
    odd = table.with_columns({"continuum_flux_5": 50 * table["continuum_flux_5"]})
    assert predict_table(table, model=WITH_LUMINOSITY).table["in_domain"].mean() > 0.8
    assert not predict_table(odd, model=WITH_LUMINOSITY).table["in_domain"].any()


def test_a_luminosity_unlike_those_of_training_is_flagged_whatever_the_model_sees():
    table = galaxies(6)
    middle = float(np.median(luminosities(table)))
    bounds = jnp.array([middle, 99.0], jnp.float32)
    limited = eqx.tree_at(lambda m: m.log_luminosity_range, COLOURS_ONLY, bounds)
    anyway = predict_table(table, model=COLOURS_ONLY).table
    flagged = predict_table(table, model=limited).table
    assert_same(flagged, anyway)
    expected = anyway["in_domain"] & (luminosities(table) >= middle)
    np.testing.assert_array_equal(flagged["in_domain"], expected)
    assert np.any(expected)
    # Where it is not known it says nothing, and a missing bin is filled first.
    unknown = table.with_columns({"redshift": np.zeros(6)})
    relative = table.with_columns({}, dict.fromkeys(FLUX_COLUMNS, "solLum / Angstrom"))
    for same in (unknown, relative):
        found = predict_table(same, model=limited).table["in_domain"]
        np.testing.assert_array_equal(found, anyway["in_domain"])
    faint = table.with_columns({name: 1e-4 * table[name] for name in FLUX_COLUMNS})
    gappy = faint.with_columns({"continuum_flux_9": np.full(6, np.nan)})
    assert not np.any(predict_table(gappy, model=limited).table["in_domain"])


def test_the_domain_on_real_spectra_with_line_fits(nebulium_data):
    """NGC 3073 is fainter in its fibre than any training galaxy, and predicted 33 where SDSS measures 5.5."""
    files = ["spectra/NGC3073_SDSS_DR18", "spectra/NGC3522_SDSS_DR18", "pairs/spec-0266-51630-0168"]
    files += ["pairs/spec-0266-51630-0215", "pairs/spec-0266-51630-0598"]
    paths = [nebulium_data / "sdss" / f"{name}.fits" for name in files]
    features = features_from_spectra(read_spectra(paths))
    predicted = predict_table(features).table
    assert predicted["in_domain"].tolist() == [False, True, True, True, True]
    assert predicted["model"].tolist() == ["desi-lines-colours"] + ["desi-lines"] * 4
    measured = np.array([read_sdss_lines(path)["ew_HALPHA"][0] for path in paths])
    inside = (predicted["ew_HALPHA_q025"] < measured) & (measured < predicted["ew_HALPHA_q975"])
    assert inside.tolist() == predicted["in_domain"].tolist()


# One row is the batch, in any order and any chunk


def test_one_row_equals_the_batch():
    table = galaxies(BATCH + 5)
    together = predict_table(table, model=WITH_LUMINOSITY).table
    for row in (0, BATCH - 1, BATCH + 4):
        alone = predict_table(table.select([row]), model=WITH_LUMINOSITY).table
        assert_same(alone, together.select([row]))


def test_order_of_rows_does_not_matter():
    table = galaxies(30)
    order = np.random.default_rng(0).permutation(30)
    shuffled = predict_table(table.select(order), model=WITH_LUMINOSITY).table
    assert_same(shuffled, predict_table(table, model=WITH_LUMINOSITY).table.select(order))


@pytest.mark.parametrize("rows_per_chunk", [1, 7, 100])
def test_chunks_do_not_matter(tmp_path, rows_per_chunk):
    table = galaxies(20).with_columns(
        {"redshift": np.where(np.arange(20) == 9, -1.0, galaxies(20)["redshift"])}
    )
    write_table(table, tmp_path / "in.parquet")
    run = predict_file(
        tmp_path / "in.parquet",
        tmp_path / "out.parquet",
        model=WITH_LUMINOSITY,
        rows_per_chunk=rows_per_chunk,
    )
    whole = predict_table(table, model=WITH_LUMINOSITY).table
    assert run.rows == 19
    assert run.rejects.rows().tolist() == [9]
    assert_same(read_table(tmp_path / "out.parquet"), whole)


# Missing bins


def test_missing_bins_are_marginalised_and_counted():
    table = galaxies(8)
    gappy = table.with_columns(
        {"continuum_flux_0": np.full(8, np.nan), "continuum_flux_11": np.full(8, np.nan)}
    )
    predicted = predict_table(gappy, model=WITH_LUMINOSITY).table
    assert predicted["n_missing_bins"].tolist() == [2] * 8
    assert all(np.all(np.isfinite(predicted[name]) & (predicted[name] > 0)) for name in EW_COLUMNS)
    complete = predict_table(table, model=WITH_LUMINOSITY).table
    close = np.abs(np.log(predicted["ew_HALPHA_q50"] / complete["ew_HALPHA_q50"]))
    assert np.median(close) < 0.1


def test_missing_bins_can_be_observed():
    gappy = galaxies(3).with_columns({"continuum_flux_0": np.full(3, np.nan)})
    predicted = predict_table(gappy, model=COLOURS_ONLY, observed=True).table
    complete = predict_table(galaxies(3), model=COLOURS_ONLY, observed=True).table
    for name in EW_COLUMNS:
        assert np.all(predicted[name] >= 0)
    np.testing.assert_allclose(predicted["ew_HALPHA_q50"], complete["ew_HALPHA_q50"], rtol=0.2)


# Which model


def predicted_by_pair(table: Table, low: float = -99.0, high: float = 99.0) -> Table:
    pair = NamedModel("full", with_range(low, high)), NamedModel("colours", COLOURS_ONLY)
    predictor = LinePredictor(pair)
    return predictor(predictor.usable_rows(table, Rejects())).as_table()


def luminosities(table: Table) -> np.ndarray:
    flux = jnp.stack([jnp.asarray(table[name]) for name in FLUX_COLUMNS], axis=1)
    return np.asarray(jax.vmap(log_luminosity)(flux, jnp.asarray(table["redshift"], jnp.float32)))


def test_the_default_follows_the_luminosity():
    table = galaxies(20)
    middle = float(np.median(luminosities(table)))
    predicted = predicted_by_pair(table, high=middle)
    np.testing.assert_array_equal(predicted["model"] == "full", luminosities(table) <= middle)
    full = predicted["model"] == "full"
    assert_same(predicted.select(full), predict_table(table, model=WITH_LUMINOSITY).table.select(full))
    assert_same(predicted.select(~full), predict_table(table, model=COLOURS_ONLY).table.select(~full))


@pytest.mark.parametrize(
    "change",
    [
        lambda t: Table({name: t[name] for name in t.columns if name != "redshift"}),
        lambda t: t.with_columns({"redshift": np.zeros(len(t))}),
        lambda t: t.with_columns({}, dict.fromkeys(FLUX_COLUMNS, "solLum / Angstrom")),
        lambda t: t.with_columns({"continuum_flux_9": np.full(len(t), np.nan)}),
    ],
    ids=["no redshift", "rest frame", "luminosities", "no luminosity bin"],
)
def test_without_a_luminosity_colours_decide(change):
    predicted = predicted_by_pair(change(galaxies(3)))
    assert predicted["model"].tolist() == ["colours"] * 3


def test_a_model_with_luminosity_refuses_relative_fluxes():
    table = galaxies(3).with_columns({}, dict.fromkeys(FLUX_COLUMNS, "solLum / Angstrom"))
    with pytest.raises(NebuliumError, match="needs a luminosity.*desi-lines-colours"):
        predict_table(table, model=WITH_LUMINOSITY)


# Bad rows

NASTY = st.sampled_from(
    [0.0, -0.0, -1.0, -1e-30, 1e-45, 1e-38, 1e-30, 1e30, 1e38, 1e39, 1e300, np.inf, -np.inf, np.nan, 5e-324]
)


@st.composite
def nasty_tables(draw):
    """Good galaxies with a few cells replaced by what no galaxy has."""
    n = draw(st.integers(1, BATCH + 3))
    table = galaxies(n, seed=draw(st.integers(0, 99))).with_columns(ivar_columns(n, 1.0))
    columns = {
        name: np.array(values, np.float64) for name, values in table.columns.items() if name != "target_id"
    }
    for _ in range(draw(st.integers(0, 8))):
        name = draw(st.sampled_from(sorted(columns)))
        columns[name][draw(st.integers(0, n - 1))] = draw(NASTY)
    for name in draw(st.lists(st.sampled_from(FLUX_COLUMNS), max_size=9, unique=True)):
        columns[name][0] = np.nan
    return table.with_columns(columns)


def is_bad(row: dict, *, needs_luminosity: bool) -> bool:
    """The rules in plain words, for one row."""
    with np.errstate(over="ignore", under="ignore"):
        row = {name: float(np.float32(value)) for name, value in row.items()}
    flux = [row[name] for name in FLUX_COLUMNS]
    known = [value for value in flux if not np.isnan(value)]
    ivar = [row[f"ew_ivar_{line}"] for line in LINES]
    redshift = row["redshift"]
    return bool(
        len(known) < FEWEST_BINS
        or any(np.isinf(value) or value < SMALLEST for value in known)
        or any(value < 0 or np.isinf(value) for value in ivar)
        or (np.isnan(redshift) and needs_luminosity)
        or redshift < 0
        or redshift > 100
        or (needs_luminosity and redshift < SMALLEST)
    )


@pytest.mark.parametrize("model", [WITH_LUMINOSITY, COLOURS_ONLY], ids=["luminosity", "colours"])
@hypothesis.given(table=nasty_tables())
@hypothesis.settings(max_examples=150)
def test_bad_rows_are_set_aside_and_the_rest_goes_on(model, table):
    predictions = predict_table(table, model=model)
    names = [name for name in table.columns if name != "target_id"]
    bad = np.array(
        [
            is_bad({name: table[name][row] for name in names}, needs_luminosity=model.with_luminosity)
            for row in range(len(table))
        ]
    )
    assert predictions.rejects.rows().tolist() == np.flatnonzero(bad).tolist()
    assert len(predictions.rejects) == bad.sum(), "one reason a row"
    np.testing.assert_array_equal(predictions.table["target_id"], table["target_id"][~bad])
    levels = [predictions.table[f"ew_HALPHA_{name}"] for name in ("q025", "q16", "q50", "q84", "q975")]
    assert all(np.all(np.isfinite(predictions.table[name])) for name in EW_COLUMNS)
    assert np.all(np.diff(levels, axis=0) >= 0)


@hypothesis.given(table=nasty_tables())
@hypothesis.settings(max_examples=60)
def test_a_bad_row_does_not_touch_the_others(table):
    predictions = predict_table(table, model=WITH_LUMINOSITY).table
    if len(predictions):
        kept = np.isin(table["target_id"], predictions["target_id"])
        assert_same(predict_table(table.select(kept), model=WITH_LUMINOSITY).table, predictions)


# Files


@pytest.mark.parametrize("ending", ["parquet", "fits", "ecsv"])
def test_every_format_holds_the_same(tmp_path, ending):
    write_table(galaxies(6), tmp_path / "in.fits")
    predict_file(tmp_path / "in.fits", tmp_path / f"out.{ending}", model=WITH_LUMINOSITY)
    read = read_table(tmp_path / f"out.{ending}")
    assert_same(read, predict_table(galaxies(6), model=WITH_LUMINOSITY).table)
    assert read.units["ew_HALPHA_q16"] == "Angstrom"
    assert read.metadata["distribution"] == "intrinsic"
    assert {path.name for path in tmp_path.iterdir()} == {"in.fits", f"out.{ending}"}


def test_the_id_column_keeps_its_name(tmp_path):
    table = galaxies(3)
    renamed = {"TARGETID" if name == "target_id" else name: values for name, values in table.columns.items()}
    write_table(Table(renamed), tmp_path / "in.parquet")
    predict_file(tmp_path / "in.parquet", tmp_path / "out.parquet", model=COLOURS_ONLY, id_column="TARGETID")
    np.testing.assert_array_equal(read_table(tmp_path / "out.parquet")["TARGETID"], table["target_id"])


def test_rejects_stand_beside_the_output(tmp_path):
    table = galaxies(4)
    flux = table["continuum_flux_2"].copy()
    flux[1] = -1.0
    write_table(table.with_columns({"continuum_flux_2": flux}), tmp_path / "in.parquet")
    run = predict_file(tmp_path / "in.parquet", tmp_path / "out.parquet", model=COLOURS_ONLY)
    assert run.rejects_path == tmp_path / "out.rejects.csv"
    expected = f"row,target_id,reason\n1,{table['target_id'][1]},continuum_flux_2 is not positive\n"
    assert run.rejects_path.read_text() == expected


@contextmanager
def nothing_new(folder: Path):
    """A fault leaves nothing behind, not even a hidden file."""
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    yield
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: concatenate([t, t.select([2])]), r"every id once, found \d+ in rows 2 and 5"),
        (lambda t: t.with_columns({"redshift": np.full(5, -1.0)}), "no galaxy.*5 redshift is negative"),
        (lambda t: t.select(slice(0, 0)), "has no rows"),
        (
            lambda t: Table({n: v for n, v in t.columns.items() if n != "continuum_flux_4"}),
            "continuum_flux_4",
        ),
        (lambda t: t.with_columns({"continuum_flux_3": np.array(["a"] * 5)}), "expected a number"),
        (lambda t: t.with_columns({}, dict.fromkeys(FLUX_COLUMNS, "Jy")), "Jy"),
    ],
    ids=["duplicates", "no row left", "empty", "missing column", "text", "unit"],
)
def test_a_bad_table_is_an_error_and_leaves_nothing(tmp_path, change, message):
    write_table(change(galaxies(5)), tmp_path / "in.parquet")
    with nothing_new(tmp_path), pytest.raises(TableError, match=message):
        predict_file(tmp_path / "in.parquet", tmp_path / "out.parquet", model=WITH_LUMINOSITY)


def test_the_input_is_not_overwritten(tmp_path):
    write_table(galaxies(3), tmp_path / "in.parquet")
    with nothing_new(tmp_path), pytest.raises(OutputError, match="is the input"):
        predict_file(tmp_path / "in.parquet", tmp_path / "in.parquet", model=WITH_LUMINOSITY)


def test_a_mistyped_name_in_the_mapping_is_named(tmp_path):
    write_table(galaxies(3), tmp_path / "in.parquet")
    with pytest.raises(TableError, match="continum_flux_1.*write continuum_flux_1"):
        predict_file(
            tmp_path / "in.parquet", tmp_path / "o.ecsv", model=WITH_LUMINOSITY, columns=["continum_flux_1=F"]
        )


def test_an_interrupt_leaves_nothing(tmp_path):
    def interrupt(rows: int) -> None:
        raise KeyboardInterrupt

    write_table(galaxies(3), tmp_path / "in.parquet")
    with nothing_new(tmp_path), pytest.raises(KeyboardInterrupt):
        predict_file(
            tmp_path / "in.parquet", tmp_path / "out.parquet", model=WITH_LUMINOSITY, progress=interrupt
        )


def test_reddening_of_a_table_is_taken_out(tmp_path):
    from nebulium.data.extinction import extinction_per_ebv
    from nebulium.lines.continuum.bins import BIN_CENTRES_AA

    table = galaxies(4)
    wave_aa = BIN_CENTRES_AA[None] * (1 + table["redshift"][:, None])
    dim = 10.0 ** (-0.4 * 0.2 * extinction_per_ebv(wave_aa))
    dimmed = {name: table[name] * dim[:, j] for j, name in enumerate(FLUX_COLUMNS)}
    write_table(table.with_columns({**dimmed, "E": np.full(4, 0.2)}), tmp_path / "in.parquet")
    for ebv in ("E", 0.2):
        predict_file(tmp_path / "in.parquet", tmp_path / "out.parquet", model=WITH_LUMINOSITY, ebv=ebv)
        corrected = read_table(tmp_path / "out.parquet")
        assert_same(corrected, predict_table(table, model=WITH_LUMINOSITY).table)
        assert corrected.metadata["galactic_extinction"]["ebv"] == ebv


# Spectra


def flat_spectra(n: int = 3) -> Spectra:
    wave = np.tile(np.arange(3600.0, 9800.0, 1.0, dtype=np.float32), (n, 1))
    flux = np.full_like(wave, 2.0)
    return Spectra(np.arange(n) + 7, wave, flux, np.ones_like(wave), np.array([0.1, 0.2, np.nan][:n]))


def test_spectra_are_predicted(tmp_path):
    write_spectra(flat_spectra(), tmp_path / "in.parquet")
    run = predict_file(tmp_path / "in.parquet", tmp_path / "out.ecsv", model=COLOURS_ONLY)
    assert (run.rows, run.rejects.rows().tolist()) == (2, [2])
    assert "redshift is not known" in (tmp_path / "out.rejects.csv").read_text()
    assert read_table(tmp_path / "out.ecsv").metadata["line_window_half_width_km_s"] == 900.0


@pytest.mark.parametrize(
    ("file", "missing"),
    [
        ("desi/spectra/coadd-4-80613-thru20210324.fits", 0),
        ("desi/spectra/coadd-special-dark-27247.fits", 1),
        ("sdss/spectra/NGC3073_SDSS_DR18.fits", 2),
    ],
)
def test_real_spectra_are_predicted_and_given_lines(nebulium_data, tmp_path, file, missing):
    # SDSS's pipeline takes NGC 3073 for a star.
    kept = {"model": WITH_LUMINOSITY, "keep_flagged": True}
    predict_file(nebulium_data / file, tmp_path / "out.ecsv", **kept)
    predicted = read_table(tmp_path / "out.ecsv")
    assert predicted["n_missing_bins"].tolist() == [missing]
    run = inject_file(nebulium_data / file, tmp_path / "lines.parquet", **kept)
    before, after = read_spectra(nebulium_data / file), read_spectra(run.output)
    lines = read_table(run.lines_path)
    np.testing.assert_allclose(lines["ew_HALPHA"], predicted["ew_HALPHA_q50"], rtol=1e-5)
    good = before.ivar[0] > 0
    added = np.where(good, after.flux_lambda[0].astype(float) - before.flux_lambda[0], 0.0)
    assert np.all(added >= -1e-4)
    total = np.nansum([lines[f"line_flux_{line}"][0] for line in LINES])
    assert np.sum(added * np.gradient(before.wave_aa[0].astype(float))) == pytest.approx(total, rel=0.02)


def flagged_spectra(folder: Path) -> Path:
    """A file of two good spectra, and one of two that the pipeline flags."""
    spectra = flat_spectra(2)
    write_spectra(spectra, folder / "good.fits")
    columns = {"ZWARN": np.array([0, 4]), "SPECTYPE": np.array(["QSO", "GALAXY"])}
    write_spectra(replace(spectra, ids=spectra.ids + 10, columns=columns), folder / "flagged.parquet")
    return folder


def test_a_folder_of_spectra_is_one_table(tmp_path):
    (tmp_path / "in").mkdir()
    folder = flagged_spectra(tmp_path / "in")
    run = predict_file(folder, tmp_path / "out.parquet", model=COLOURS_ONLY)
    table = read_table(tmp_path / "out.parquet")
    assert (table["target_id"].tolist(), table["file"].tolist()) == ([7, 8], [str(folder / "good.fits")] * 2)
    assert run.rejects.rows().tolist() == [0, 1]
    assert "is a QSO" in run.rejects.summary()
    assert "zwarn is not 0" in run.rejects.summary()
    predict_file(folder / "*.*", tmp_path / "out.ecsv", model=COLOURS_ONLY, keep_flagged=True)
    kept = read_table(tmp_path / "out.ecsv")
    assert kept["target_id"].tolist() == [17, 18, 7, 8]
    np.testing.assert_array_equal(kept["zwarn"], [0, 4, np.nan, np.nan])
    assert kept["spectype"].tolist() == ["QSO", "GALAXY", "", ""]
    alone = predict_file(folder / "good.fits", tmp_path / "alone.ecsv", model=COLOURS_ONLY)
    assert_same(read_table(alone.output), table)
    lines = read_table(inject_file(folder, tmp_path / "with.fits", model=COLOURS_ONLY).lines_path)
    assert lines["file"].tolist() == [str(folder / "good.fits")] * 2
    np.testing.assert_allclose(lines["ew_HALPHA"], table["ew_HALPHA_q50"], rtol=1e-5)


def test_failed_redshifts_stars_and_quasars_of_a_table(tmp_path):
    flags = {"zwarn": np.array([0, 4, 0, 0]), "spectype": np.array(["GALAXY", "GALAXY", "STAR", "QSO:BAL"])}
    table = galaxies(4).with_columns(flags)
    predictions = predict_table(table, model=COLOURS_ONLY)
    assert predictions.table["target_id"].tolist() == table["target_id"][:1].tolist()
    assert "1 is a STAR, by its spectype (kept with --keep-flagged)" in predictions.rejects.summary()
    kept = predict_table(table, model=COLOURS_ONLY, keep_flagged=True).table
    assert kept["spectype"].tolist() == flags["spectype"].tolist()
    renamed = {name.upper() if name in flags else name: values for name, values in table.columns.items()}
    write_table(Table(renamed), tmp_path / "in.parquet")
    run = predict_file(tmp_path / "in.parquet", tmp_path / "out.parquet", model=COLOURS_ONLY)
    assert run.rejects.rows().tolist() == [1, 2, 3]
    widths = {f"ew_{line}": np.ones(4) for line in LINES} | ivar_columns(4, 1.0)
    write_table(Table(renamed | widths), tmp_path / "measured.parquet")
    rejects = Rejects()
    measured = read_measured(tmp_path / "measured.parquet")
    assert len(usable_rows(measured, rejects, with_luminosity=True)) == 1
    assert rejects.rows().tolist() == [1, 2, 3]
    assert len(usable_rows(measured, Rejects(), with_luminosity=True, keep_flagged=True)) == 4


def test_spectra_keep_the_name_of_their_ids(tmp_path):
    write_spectra(replace(flat_spectra(2), id_column="specid"), tmp_path / "in.fits")
    run = predict_file(tmp_path / "in.fits", tmp_path / "out.ecsv", model=COLOURS_ONLY)
    assert read_table(run.output)["specid"].tolist() == [7, 8]
    injected = inject_file(tmp_path / "in.fits", tmp_path / "with.fits", ew=run.output)
    assert read_table(injected.lines_path)["specid"].tolist() == [7, 8]
    assert read_spectra(injected.output).id_column == "specid"


def test_given_widths_are_put_in(tmp_path):
    write_spectra(flat_spectra(2), tmp_path / "in.fits")
    table = Table(
        {"target_id": np.array([8, 7]), "ew_HALPHA": np.array([20.0, 10.0])}, {"ew_HALPHA": "Angstrom"}
    )
    write_table(table, tmp_path / "ews.ecsv")
    run = inject_file(tmp_path / "in.fits", tmp_path / "out.fits", ew=tmp_path / "ews.ecsv")
    added = read_spectra(run.output).flux_lambda - 2.0
    np.testing.assert_allclose(added.sum(axis=1), [10 * 1.1 * 2, 20 * 1.2 * 2], rtol=1e-3)
    peak = flat_spectra(1).wave_aa[0][np.argmax(added, axis=1)]
    np.testing.assert_allclose(peak, [6564.61 * 1.1, 6564.61 * 1.2], atol=1.0)


def test_samples_depend_on_seed_and_id_alone(tmp_path):
    spectra = flat_spectra(2)
    write_spectra(spectra, tmp_path / "in.parquet")
    write_spectra(spectra.select([1, 0]), tmp_path / "turned.parquet")

    def widths(name: str, seed: int) -> np.ndarray:
        run = inject_file(
            tmp_path / name, tmp_path / "out.parquet", ew="sample", model=COLOURS_ONLY, seed=seed
        )
        lines = read_table(run.lines_path)
        return np.stack([lines[f"ew_{line}"] for line in LINES], axis=1)

    np.testing.assert_array_equal(widths("in.parquet", 1), widths("turned.parquet", 1)[::-1])
    assert not np.any(widths("in.parquet", 1) == widths("in.parquet", 2))


def test_a_line_in_a_gap_adds_nothing_and_says_so():
    spectra = flat_spectra(1)
    inside = np.abs(spectra.wave_aa - 6564.61 * 1.1) < 40
    gappy = Spectra(
        spectra.ids, spectra.wave_aa, spectra.flux_lambda, np.where(inside, 0.0, 1.0).astype(np.float32),
        spectra.redshift,
    )  # fmt: skip
    widths = np.full((1, 10), np.nan, np.float32)
    widths[0, line_index("HALPHA")] = 10.0
    injected = inject_lines(gappy, widths)
    np.testing.assert_array_equal(injected.spectra.flux_lambda, gappy.flux_lambda)
    assert np.isnan(injected.lines.line_flux).all()


def test_spectra_without_redshift_get_no_lines(tmp_path):
    write_spectra(flat_spectra().select([2]), tmp_path / "in.parquet")
    with nothing_new(tmp_path), pytest.raises(NebuliumError, match="redshift is not known"):
        inject_file(tmp_path / "in.parquet", tmp_path / "out.parquet", model=COLOURS_ONLY)
