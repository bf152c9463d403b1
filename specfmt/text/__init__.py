"""YAML and JSON in and out: positions, comments, formatting."""
