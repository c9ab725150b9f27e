"""The human loop: which calls to hear, and what people answered where the machine had answered."""
