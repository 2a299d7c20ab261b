"""Plans: how many keys a workspace may have, and how many it has."""
