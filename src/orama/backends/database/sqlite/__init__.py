"""The SQL port on SQLite: a file per namespace."""
