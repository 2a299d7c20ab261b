"""What every operation passes: HTTP, limits, cost, rate, and execution in slices."""
