"""Galaxy: one Transformer answers by several unequal, slowly linked devices."""
