"""The commands: thin, imported fast; each asks the rooms below for its work."""
