"""SAMPLE: where rows come from; one engine or format family per file."""
