"""Graph to code, a folder per target."""
