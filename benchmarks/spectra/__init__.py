"""Benchmarks of spectra from images."""
