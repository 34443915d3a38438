"""Maps: galaxies that are alike lie together."""
