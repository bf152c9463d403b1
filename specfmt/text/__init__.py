"""Reading and writing specs as YAML or JSON, with positions and comments."""
