"""How an AI problem grows: its data shape, its model shape, and the ladders that scale them."""
