"""CosmoFlow: training of a 3D CNN that reads cosmological parameters out of simulated universes."""
