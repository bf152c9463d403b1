"""Writing architecture JSON as Keras 3 does."""
