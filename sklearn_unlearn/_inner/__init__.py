"""What may stand inside an unlearner, and how it is read and written."""
