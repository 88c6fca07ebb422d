"""Structs of requests and replies on the wire, shared by gateway and client."""
