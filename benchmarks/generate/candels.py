"""The packaged model of the images of a mock of CANDELS, as `generate_mock` looks at that of SDSS."""

from benchmarks.generate.mock import measure_candels as measure

__all__ = ["measure"]
