"""Adapters of the pin port."""
