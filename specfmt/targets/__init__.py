"""Code generation from a graph, with one folder for each target."""
