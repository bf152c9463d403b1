"""The training script of a PyTorch model."""
