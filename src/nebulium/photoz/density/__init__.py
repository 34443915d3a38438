"""Densities p(z): the grid, heads that make them, recalibration, qp."""
