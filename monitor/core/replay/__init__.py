"""A history judged again: what other rules would have said, and which one to choose."""
