"""What the training scripts of all targets share: data, outputs, arguments."""
