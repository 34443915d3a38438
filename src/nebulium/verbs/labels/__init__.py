"""Labels of galaxies: numbers and classes, brought together with images or embeddings by the id."""
