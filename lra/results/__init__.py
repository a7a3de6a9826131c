"""Records of runs, and tables made from them."""
