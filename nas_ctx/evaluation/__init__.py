"""What trained networks are worth: tables of results, importance of blocks, sheets of predictions."""
