"""Gateway tokens: credentials with which a protected service calls `/v1/*`."""
