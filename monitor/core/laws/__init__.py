"""The arithmetic that tests share: null laws, bounds at the tolerance, two shares of rows."""
