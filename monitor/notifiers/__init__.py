"""ALERT: one channel per file; the file name is the channel's name."""
