"""COMPARE the whole table: one test per file, of what no column shows by itself."""
