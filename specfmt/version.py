"""The version of specfmt."""

__version__ = "0.1.0"
