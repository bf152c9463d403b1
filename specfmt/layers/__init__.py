"""Layer definitions, with a module for each of Keras's layer families."""
