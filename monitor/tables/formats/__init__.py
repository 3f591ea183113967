"""File formats; one format per file, the file name is the name used in settings."""
