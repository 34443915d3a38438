"""How well posteriors hold the truth."""
