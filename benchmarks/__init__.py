"""How fast it is, as figures side by side from one run: `make bench`."""
