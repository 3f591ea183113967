"""The steps of a check as `check.py` tells them: looking, holding, budgeting, deciding, telling.

`stored.py` finds windows that were checked before, for `diff.py`.
"""
