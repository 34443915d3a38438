"""Predicted lines scored: samples, metrics, baselines, figures."""
