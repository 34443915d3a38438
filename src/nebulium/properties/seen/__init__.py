"""What galaxies are seen by: images, embeddings from elsewhere, or both."""
