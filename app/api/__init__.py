"""GraphQL for programs: parse, check, call one use case, render."""
