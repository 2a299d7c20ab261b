"""A demo workspace that looks like one after four months of use, for `make demo`."""
