"""Keras 3's JSON, written."""
