"""One entry for every change, in its transaction, in a chain that shows when somebody altered it."""
