"""Reading architecture JSON of every Keras version as a spec."""
