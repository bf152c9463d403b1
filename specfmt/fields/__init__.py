"""Field types, the rules that validate them, findings, and former spellings."""
