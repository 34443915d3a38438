"""The explorer page measured."""
