"""Who is present on which topic, on all gateways together."""
