"""Seeing convolutional layers: their stages, fields, units, and what makes a unit respond."""
