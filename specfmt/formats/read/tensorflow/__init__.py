"""Functions and graph nodes of TensorFlow as operations of `keras.ops`."""
