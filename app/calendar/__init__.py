"""The dates of a workspace's keys as a feed that calendar programs subscribe to by a private link."""
