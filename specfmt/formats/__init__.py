"""Foreign formats: Keras JSON of every generation, .keras and .h5 configs, tf.js."""
