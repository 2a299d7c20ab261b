"""Leaked secrets: what they open, and the reports of GitHub's secret scanning and of holders, on which they are revoked."""
