"""Orama: a decentralised backend in one package."""

__version__ = "0.1.0"
