"""Driving adapters: from a protocol's request to a service and back."""
