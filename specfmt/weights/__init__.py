"""Trained weights across frameworks."""
