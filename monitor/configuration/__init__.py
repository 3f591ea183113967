"""monitor.yaml as text: read with its lines and its variables, and its mistakes told in words."""
