"""Continua and the chain measured."""
