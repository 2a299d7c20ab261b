"""Users, the people who sign in: their row, and what their e-mail address, name and password may be."""
