"""Keras 2's JSON, written."""
