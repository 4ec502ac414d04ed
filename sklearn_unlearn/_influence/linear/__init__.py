"""Influence for linear models, in closed form."""
