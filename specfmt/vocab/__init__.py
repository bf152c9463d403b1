"""The vocabulary: activations, initializers, losses, optimizers and so on, with Keras's
arguments."""
