"""The pipeline's stages, one concern a file."""
