"""Management keys: how programs authenticate to GraphQL."""
