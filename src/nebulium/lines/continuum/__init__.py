"""From a spectrum to what the line models see: bins, masks, features, and the list of lines."""
