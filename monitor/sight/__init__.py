"""SEE: what the service tells of itself to those who run it: log lines and traces."""
