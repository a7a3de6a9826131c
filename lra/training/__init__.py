"""Training and evaluation of one variant."""
