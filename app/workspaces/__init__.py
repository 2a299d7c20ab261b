"""What changes a workspace itself: its settings, its suspension, and where somebody was last."""
