"""The words of training and of layers: one class each, with Keras's arguments."""
