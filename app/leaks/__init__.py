"""Leaked secrets: what they open, and the reports of GitHub's secret scanning, on which keys are revoked."""
