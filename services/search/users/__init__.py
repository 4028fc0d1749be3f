"""Finding users, and suggestions while one types."""
