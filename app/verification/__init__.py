"""May this request pass? The hot path: nothing is remembered, everything is counted, and it fails closed."""
