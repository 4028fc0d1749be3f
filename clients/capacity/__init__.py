"""How much of everything a load takes: profiles, measured figures, and arithmetic that is shown."""
