"""What is kept of whom: subjects, rows, targets, receipts, digests."""
