"""Static analysis: from a spec to a graph with order, shapes, dtypes, masks, weights and counts."""
