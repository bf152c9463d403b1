"""What a user writes: document, base classes, field types, reading, diagnostics."""
