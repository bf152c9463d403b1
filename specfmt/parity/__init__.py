"""Numerical comparison of the generated Keras and PyTorch programs."""
