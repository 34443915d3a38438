"""A page to look at galaxies, their lines, and what the models say of them."""
