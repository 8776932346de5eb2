"""Simulated universes and the CosmoFlow network family; stand-alone science."""
