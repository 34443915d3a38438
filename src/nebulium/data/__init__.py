"""Tables and spectra in and out: formats, units, column names, splits, rows set aside, whole files."""
