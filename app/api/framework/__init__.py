"""What the types of all nouns are built with: decorators, scalars, connections, the request's context."""
