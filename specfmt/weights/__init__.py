"""Reading, writing and converting trained weights of Keras and PyTorch."""
