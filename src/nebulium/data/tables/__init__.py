"""Tables in and out: formats, columns, units."""
