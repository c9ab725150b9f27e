"""How the weights that ship were made, and the written examples they were fitted to."""
