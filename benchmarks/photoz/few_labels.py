"""What few labels are worth to each method: see `benchmarks.photoz.beside_rail`."""

from benchmarks.photoz.beside_rail import measure_few as measure

__all__ = ["measure"]
