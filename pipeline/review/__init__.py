"""Human review: choose the calls that people check, and import what they answered."""
