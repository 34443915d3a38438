"""Methods of other groups that give spectra from images, on the terms of this library."""
