"""A workspace with a past: what the product looks like after four months of use, for `make demo`."""
