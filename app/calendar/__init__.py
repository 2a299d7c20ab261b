"""A workspace's key dates as a feed that calendar applications subscribe to through a private link."""
