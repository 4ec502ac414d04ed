"""The clauses of an unlearner's contract, one check each."""
