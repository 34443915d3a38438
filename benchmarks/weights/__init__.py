"""What makes the weights, grids and pictures that are shipped."""
