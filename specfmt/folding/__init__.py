"""Structure found in a flat list of layers: what stands in it several times becomes a block."""
