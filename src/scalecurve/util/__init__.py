"""What every stage uses and none owns."""
