"""SAIH: how AI performance on an HPC system moves as the AI problem grows, and what holds it back."""
