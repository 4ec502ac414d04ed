"""How labels are scored."""
