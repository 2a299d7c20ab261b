"""Everything of an installation that bears on security or on keeping promises, looked at and said in one line each."""
