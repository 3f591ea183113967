"""COMPARE: one test of drift per file; the file name is the name used in config."""
