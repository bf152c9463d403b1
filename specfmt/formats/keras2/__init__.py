"""Writing architecture JSON for Keras 2."""
