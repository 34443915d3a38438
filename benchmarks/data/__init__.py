"""Reading measured."""
