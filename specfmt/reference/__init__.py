"""Documentation of the spec language: JSON Schema, code pages, reference pages."""
