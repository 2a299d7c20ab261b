"""What the pages of all nouns are built with: the page context, forms, sessions, errors, rendering, event streams."""
