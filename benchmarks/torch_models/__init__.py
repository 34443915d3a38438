"""The networks of `nebulium.nn` in PyTorch, for fair timings."""
