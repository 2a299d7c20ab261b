"""One entry for every change, in its transaction, in a hash chain that reveals tampering."""
