"""Adapters of the SQL port."""
