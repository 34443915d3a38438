"""Mock surveys: blocks of galaxies, made by several processes, on disk."""
