"""What people and editors read about the language: JSON Schema, code pages, docs."""
