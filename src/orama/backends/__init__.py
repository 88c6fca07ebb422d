"""Driven adapters, a package per port. Only the composition root imports them."""
