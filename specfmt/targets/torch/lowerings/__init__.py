"""Layers and operations as PyTorch modules and expressions, a module per family."""
