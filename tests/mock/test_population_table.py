import os

import numpy as np
import pytest
from astropy.cosmology import FlatLambdaCDM
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from nebulium.data.tables.table import Table
from nebulium.errors import TableError
from nebulium.mock.populations.own_table import table_population

#: More in `python -m benchmarks inputs`.
INPUTS = int(os.environ.get("NEBULIUM_INPUTS", "50"))

N = 30


@pytest.fixture
def table():
    return galaxies()


def galaxies() -> Table:
    rng = np.random.default_rng(0)
    return Table(
        {
            "redshift": rng.uniform(0.1, 3.0, N),
            "log_mstar": rng.uniform(8.0, 11.0, N),
            "age_gyr": rng.uniform(0.1, 2.0, N),
            "tau_gyr": rng.uniform(0.1, 10.0, N),
            "av_mag": rng.uniform(0.0, 2.0, N),
        },
        name="mine.parquet",
    )


def test_rows_are_the_rows(table):
    population = table_population(table)
    assert len(population) == N
    for name in table.columns:
        assert float(getattr(population.row(7), name)) == np.float32(table[name][7])


def test_metallicities_that_are_given_are_taken_and_others_drawn(table):
    given = table_population(table.with_columns({"oh12": np.full(N, 8.5)}))
    assert float(given.row(3).oh12) == 8.5
    assert -3.5 <= float(given.row(3).lgmet) <= -1.3
    both = table_population(table.with_columns({"oh12": np.full(N, 8.5), "lgmet": np.full(N, -2.0)}))
    assert float(both.row(3).lgmet) == -2.0


def test_drawn_metallicities_of_a_row_follow_from_the_seed_and_its_place(table):
    whole, part = table_population(table, seed=3), table_population(table.select(slice(0, 5)), seed=3)
    np.testing.assert_allclose(whole.galaxies.oh12[:5], part.galaxies.oh12, atol=1e-6)
    assert float(table_population(table, seed=4).row(0).oh12) != float(whole.row(0).oh12)


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        ("redshift", np.nan, "found nan"),
        ("redshift", 11.0, "the templates reach"),
        ("redshift", -0.1, "found -0.1"),
        ("log_mstar", -10.0, "log10 of the surviving stellar mass"),
        ("log_mstar", 1e10, "log10 of the surviving stellar mass"),
        ("age_gyr", 0.0, "Gyr"),
        ("tau_gyr", np.inf, "found inf"),
        ("av_mag", -0.5, "mag"),
    ],
)
def test_a_wrong_value_is_named_with_its_row_and_column(table, column, value, says):
    values = table[column].copy()
    values[17] = value
    with pytest.raises(TableError, match=rf"mine\.parquet, column {column}: .*{says}.* row 17"):
        table_population(table.with_columns({column: values}))


UNITS = {
    "age_gyr": {"years": lambda age: age * 1e9, "the logarithm of years": lambda age: 9.0 + np.log10(age)},
    "tau_gyr": {"years": lambda tau: tau * 1e9},
    "log_mstar": {"not its logarithm": lambda mass: 10.0**mass},
    "lgmet": {"not its logarithm": lambda metals: 10.0**metals},
    "redshift": {"km/s": lambda redshift: redshift * 299_792.458},
}


@settings(max_examples=INPUTS, deadline=None)
@given(
    wrong=st.sampled_from([(column, unit) for column, units in UNITS.items() for unit in units]),
    kind=st.sampled_from([np.float64, np.float32]),
    rows=st.integers(1, N),
)
def test_a_column_in_another_unit_is_recognised(wrong, kind, rows):
    (column, unit), table = wrong, galaxies().with_columns({"lgmet": np.full(N, -2.0)})
    values = UNITS[column][unit](np.clip(table[column], 0.02, None) if column != "lgmet" else table[column])
    # A logarithm of years is a small number, which a galaxy of 9 Gyr might have as well.
    with pytest.raises(TableError) as caught:
        table_population(table.with_columns({column: values.astype(kind)}).select(slice(0, rows)))
    assert f"column {column}" in str(caught.value)
    assert unit in caught.value.mend or unit == "the logarithm of years"


@settings(max_examples=INPUTS, deadline=None)
@given(redshift=st.floats(0.01, 6.0), share=st.floats(0.02, 3.0), row=st.integers(0, N - 1))
def test_no_galaxy_is_older_than_the_universe(redshift, share, row):
    limit, table = FlatLambdaCDM(70, 0.3).age(redshift).to_value("Gyr"), galaxies()
    columns = {"redshift": table["redshift"].copy(), "age_gyr": table["age_gyr"].copy()}
    columns["redshift"][row], columns["age_gyr"][row] = redshift, share * limit
    made = table.with_columns(columns)
    if share <= 1.0 or share * limit > 14.5:
        assume(share <= 1.0)
        assert len(table_population(made)) == N
        return
    assume(share > 1.001)
    old = rf"column age_gyr: .*found {share * limit:.4g} Gyr at redshift {redshift:.4g}, .* in row {row}\."
    with pytest.raises(TableError, match=old):
        table_population(made)


def test_a_wrong_optional_value_is_named(table):
    with pytest.raises(TableError, match="column oh12: .* rows 0, 1, 2 and 27 more"):
        table_population(table.with_columns({"oh12": np.full(N, np.nan)}))


def test_a_missing_column_is_named(table):
    columns = {name: values for name, values in table.columns.items() if name != "tau_gyr"}
    with pytest.raises(TableError, match="tau_gyr"):
        table_population(Table(columns, name="mine.parquet"))


def test_text_and_no_rows_are_errors(table):
    with pytest.raises(TableError, match="column av_mag: expected numbers"):
        table_population(table.with_columns({"av_mag": np.full(N, "dusty")}))
    with pytest.raises(TableError, match="no rows"):
        table_population(table.select(slice(0, 0)))
