"""The security checklist of a workspace: what its data shows, and what people confirm."""
