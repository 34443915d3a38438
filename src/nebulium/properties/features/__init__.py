"""Numbers that are measured in an image: radial profiles, modes of the rings, a scattering transform."""
