"""Small types and helpers that everything shares."""
