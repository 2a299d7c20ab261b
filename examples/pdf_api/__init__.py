"""A small, complete API behind Keydesk: it generates PDFs, keeps them for a while, and returns them to keys of their workspace."""
