"""Who asks, and who may what."""
