"""How far machine and people agree, where they do not, and what to do about it."""
