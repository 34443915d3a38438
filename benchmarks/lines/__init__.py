"""Emission lines measured."""
