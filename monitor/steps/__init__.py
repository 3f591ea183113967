"""The steps of a check as `check.py` tells them: looking, holding, budgeting, deciding, telling."""
