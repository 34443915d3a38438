"""The size and the order of the tree itself."""
