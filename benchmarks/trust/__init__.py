"""Whether verdicts can be trusted: false alarms, power, the budget; `make bench-trust`."""
