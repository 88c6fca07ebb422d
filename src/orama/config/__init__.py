"""Typed configuration from YAML, environment and flags."""
