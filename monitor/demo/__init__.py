"""The demo project: its files, and the generator of the loan applications it watches."""
