"""The ports: one Protocol per file, with its guarantees in prose."""
