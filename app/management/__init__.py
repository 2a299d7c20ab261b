"""Management keys: how programs sign in to GraphQL."""
