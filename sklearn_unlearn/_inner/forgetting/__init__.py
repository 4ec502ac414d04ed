"""How fitted transformers forget rows: what is kept beside them, and what becomes of them."""
