"""What a device does with its part of a plan: pieces of layers, messages to others, weights held."""
