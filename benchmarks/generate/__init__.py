"""Benchmarks of images from properties."""
