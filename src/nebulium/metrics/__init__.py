"""Metrics of point predictions, of distributions, and of samples; every convention named."""
