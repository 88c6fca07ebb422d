"""Adapters of the content port."""
