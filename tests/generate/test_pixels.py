import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nebulium.data.images.opening import open_images
from nebulium.data.splits import Split
from nebulium.data.tables.reading import read_table
from nebulium.generate import posterior_file, sample_images, score_file
from nebulium.modelfile import load_model


@pytest.fixture(scope="module")
def model(trained_pixels):
    return load_model(trained_pixels)


def test_smoke(model, spots, trained_pixels, tmp_path):
    import time

    t = time.time()
    given = np.repeat(np.array([[9.6, 0.3], [10.4, 0.3]], np.float32), 100, axis=0)
    drawn = sample_images(model, given, steps=16)
    print("drawn", time.time() - t)
    t = time.time()
    flux = drawn.sum(axis=(1, 2))
    for rows, log_mass in ((flux[:100], -0.4), (flux[100:], 0.4)):
        print(
            np.median(rows[:, 0]),
            2 * np.pi * 10**log_mass,
            np.median(rows[:, 1] / rows[:, 0]),
            10 ** (0.2 * log_mass),
        )
    corners = drawn[:, [0, 0, -1, -1], [0, -1, 0, -1]]
    print(np.std(corners[:100]), 0.02)
    print(
        model.diffusion.gaussian.left_variance**0.5,
        np.array(model.diffusion.gaussian.closed.cross).round(2)[:5],
    )
    from nebulium.data.images.mmu import read_images, write_images
    from tests.generate.test_bad_input import FEW
    from dataclasses import replace
    from nebulium.data.tables.table import Table

    whole, rows = read_images(spots), slice(32)
    names = ("ids", "flux", "ivar", "bad", "psf_fwhm_arcsec", "pixel_scale_arcsec")
    table = Table({name: whole.table[name][rows] for name in ("log_mass", "log_size")})
    few = replace(whole, **{name: getattr(whole, name)[rows] for name in names}, table=table)
    write_images(few, tmp_path / "few.parquet")
    t = time.time()
    s = read_table(score_file(tmp_path / "few.parquet", tmp_path / "o.ecsv", model=trained_pixels).output)
    print("score", time.time() - t, s["log_ratio"])
    t = time.time()
    s = read_table(posterior_file(tmp_path / "few.parquet", tmp_path / "p.ecsv", model=trained_pixels).output)
    print("post", time.time() - t)
    for n in ("log_mass", "log_size"):
        print(n, np.std(table[n]), np.nanstd(s[n] - table[n]), np.median(s[n + "_sigma"]))
