"""Helpers of all readers and writers of Keras's JSON: typed access, defaults, context."""
