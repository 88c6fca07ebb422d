"""Shipped with the package: conformance suites for the ports, and fakes that pass them."""
