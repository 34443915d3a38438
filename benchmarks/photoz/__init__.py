"""Redshifts measured."""
