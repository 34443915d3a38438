"""Spectra in and out: DESI, SDSS, other FITS, Multimodal Universe Parquet."""
