"""Webhooks: what happens in a workspace, sent to URLs of its owners (Standard Webhooks), Slack and Teams."""
