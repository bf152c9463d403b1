"""What every reader and writer of Keras's JSON needs: typed access, defaults, context."""
