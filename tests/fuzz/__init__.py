"""Harnesses that attack specfmt with inputs made to do harm; each has a short and a long form.

- `markers`: plants texts that try to become code in every field of the language (the fields come
  from the JSON Schema, so a new one is attacked too) and looks for them in the syntax trees of all
  programs.  ``pytest tests/targets/test_markers.py`` runs one payload a field, ``-m slow`` all of them.
- `files`: builds small model and weight files of every kind, damages their bytes, members, JSON and
  HDF5, and runs all commands that read them, each within a bound of time; ``tests/test_file_fuzz.py``,
  or ``python -m tests.fuzz.files COUNT SEED [NAME...]``.
- `whole_path`: one input's way through everything that reads, checks, generates and exports it;
  counts what ends otherwise than in findings or in programs, and the time of each step.
- `odd_values`: numbers, nests and words that make no sense there, in every field of the language.

To attack one document by hand::

    from tests.fuzz.markers import PAYLOADS, attack
    attack(document | {"description": PAYLOADS["quotes"]})
"""
