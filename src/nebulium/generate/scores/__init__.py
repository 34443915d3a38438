"""How well drawn galaxies are like real ones."""
