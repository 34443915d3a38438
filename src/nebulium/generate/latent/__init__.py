"""Images as coefficients, and the density of these."""
