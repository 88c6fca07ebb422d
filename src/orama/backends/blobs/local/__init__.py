"""Content on the embedded engine: files of blocks on the local disk."""
