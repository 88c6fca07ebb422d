"""Adapters of `contracts.Broker`."""
