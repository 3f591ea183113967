"""The pure middle of the house: arrays and records in, records out; no I/O, no clock."""
