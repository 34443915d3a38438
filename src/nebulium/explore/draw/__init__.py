"""Figures of the page: pure functions from arrays to plotly figures."""
