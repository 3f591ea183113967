"""Over time: how much windows vary, the alarm budget, what a window is held against."""
