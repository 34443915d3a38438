import numpy as np
import pytest

from nebulium.data.tables.table import Table
from nebulium.errors import TableError
from nebulium.mock.populations.own_table import table_population

N = 30


@pytest.fixture
def table():
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
