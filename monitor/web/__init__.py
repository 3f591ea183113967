"""SHOW: pages for people and JSON for machines, drawn from the store; read only."""
