"""House rules. The toy is no part of the project: `test_new_noun.py` adds it to a copy."""

collect_ignore = ["toy"]
