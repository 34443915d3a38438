"""How good a model of spectra is, beside simpler methods."""
