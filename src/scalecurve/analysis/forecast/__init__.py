"""What the next size will score, and how good such forecasts have been."""
