"""The version, once for the package's metadata, the command line and reports."""

__version__ = "0.1.0"
