"""Rows as Arrow tables: read from files, cut to a window, turned into the core's columns."""
