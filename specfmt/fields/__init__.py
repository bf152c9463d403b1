"""What a field may hold: types, rules, findings, former spellings."""
