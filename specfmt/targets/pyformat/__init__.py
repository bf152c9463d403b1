"""A layout engine for generated Python: the part of `ruff format` that splits long lines.

`doc` holds the document algebra and `printer` prints it; `tokens` reads the source; `parentheses`
says which expressions need any; `layout`, `chains`, `expressions` and `statements` turn syntax
trees into documents, each building on the one before; `blank_lines` spaces the results. The rules
are those of ruff's formatter (stable style of 2026), so that text from here passes `ruff format`.
"""
