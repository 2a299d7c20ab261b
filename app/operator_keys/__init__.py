"""Operator keys: how programs of the operator, such as billing, authenticate to GraphQL."""
