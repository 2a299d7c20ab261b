"""What people are told before a key's time comes: once each, on the alert list and by mail."""
