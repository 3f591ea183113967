"""REMEMBER: checks, findings, episodes, outbox and references; one kind of store per file."""
