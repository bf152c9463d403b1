"""Spec to graph: order, shapes, dtypes, masks, weights, counts."""
