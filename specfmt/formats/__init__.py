"""Keras's file formats: architecture JSON of every Keras version, .keras, .h5 and tf.js files."""
