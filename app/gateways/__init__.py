"""Gateway tokens: what lets a protected service ask `/v1/*`."""
