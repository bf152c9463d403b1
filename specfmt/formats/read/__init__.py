"""Keras's JSON of every generation as a spec."""
