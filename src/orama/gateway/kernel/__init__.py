"""The life of a request: operations as data, one pipeline, thin drivers."""
