"""The galaxies that are looked at, and what is known and predicted of them."""
