"""WebSockets (RFC 6455): the handshake, the connection, and what a conversation on it may do."""
