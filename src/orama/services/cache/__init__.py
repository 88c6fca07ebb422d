"""The cache for tenants."""
