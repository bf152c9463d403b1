"""Reading TensorFlow's checkpoints without TensorFlow: their tables, tensors, and objects."""
