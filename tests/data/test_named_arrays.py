"""Arrays of a pytree by name, and rows in batches of one shape."""

import jax.numpy as jnp
import numpy as np
import pytest

from nebulium.data.files import native
from nebulium.data.named_arrays import disagreement, fill_arrays
from nebulium.errors import ModelFileError
from nebulium.nn.mapping import padded_batches


def test_a_disagreement_names_what_is_expected_and_what_is_there():
    found = disagreement({"scale": jnp.ones(2)}, {"mean": np.ones(2, np.float32)})
    assert found == ("scale float32[2]", "mean float32[2]")
    assert disagreement({"scale": jnp.ones(2)}, {"scale": np.zeros(2, np.float32)}) is None


def test_arrays_of_another_shape_are_not_filled_in():
    filled = fill_arrays({"scale": jnp.ones(2)}, {"scale": np.zeros(2, np.float32)}, where="a")
    assert filled["scale"].tolist() == [0.0, 0.0]
    message = r"model.safetensors: expected scale float32\[2\], found scale float32\[3\]"
    with pytest.raises(ModelFileError, match=message):
        fill_arrays({"scale": jnp.ones(2)}, {"scale": np.ones(3, np.float32)}, where="model.safetensors")


def test_the_last_batch_is_filled_up():
    batches = [(rows.tolist(), count) for rows, count in padded_batches(5, 3)]
    assert batches == [([0, 1, 2], 3), ([3, 4, 4], 2)]


def test_arrays_of_fits_are_in_the_order_of_this_machine():
    assert native(np.array([1.0], ">f4")).dtype == np.float32
    assert native(np.array([b"SKY  "])).tolist() == ["SKY"]
