"""REPORT: a check becomes one self-contained HTML page; pure, but for the folder it is put in."""
