"""What is kept of a column: made piece by piece, merged, stored, within a proven bound."""
