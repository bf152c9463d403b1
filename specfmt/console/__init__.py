"""How findings, tables and progress look on a terminal."""
