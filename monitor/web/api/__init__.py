"""The API for machines: what pages can do, as JSON under /api/v1."""
