"""Recognizing the kind of a source file and locating the architecture in it."""
