"""The composition root: it builds a node from its parts and lets it live and die well."""
