"""The document that a user writes: the model, the ``train:`` section, and fixes of old
spellings."""
