"""The density of images themselves, pixel by pixel, on a Gaussian base."""
