"""Converting TensorFlow functions and graph nodes to operations of `keras.ops`."""
