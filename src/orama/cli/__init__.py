"""The orama command."""
