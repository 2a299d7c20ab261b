"""A small real API behind Keydesk: it makes PDFs, keeps them for a while, and gives them back to the workspace they belong to."""
