"""Mock universes measured."""
