"""Images of mock galaxies: light through a telescope."""
