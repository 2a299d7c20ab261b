"""The two things that `/graphql` answers with: results for programs, GraphiQL for browsers."""
