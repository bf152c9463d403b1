"""Terminal output: diagnostics, tables and progress; option declarations of the commands."""
