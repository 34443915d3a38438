"""Redshifts scored: samples, metrics, comparison of methods, figures."""
