"""Interactive pages for digging into a window: optional, and free to fail alone."""
