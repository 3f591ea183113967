"""Parts of the rows: configured segments, and the slice that explains a drift."""
