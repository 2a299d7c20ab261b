"""Data as people read it: statuses, audit entries, charts, numbers and times."""
