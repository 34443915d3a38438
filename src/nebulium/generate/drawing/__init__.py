"""Images drawn by a model: one by one, into files and folders, and as figures."""
