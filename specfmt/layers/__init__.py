"""The layers, a module per family as Keras names it."""
