"""Files of any format, opened with care: Parquet and FITS, and one error for those that are damaged."""
