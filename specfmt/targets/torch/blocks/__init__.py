"""Blocks in PyTorch: classes with parameters, and functions that put them in a row.

A model is lowered as if it had no blocks, so that layouts and permutes are those of the whole.  Then
its steps are cut into the uses of blocks (`cut`), and all uses of a block become one class
(`classes`) by anti-unification (`join`).
"""
