"""What kind of file a source is, and where the architecture stands in it."""
