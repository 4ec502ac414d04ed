"""Influence for networks, by automatic differentiation."""
