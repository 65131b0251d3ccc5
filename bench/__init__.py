"""What Letterbox costs, measured beside what others cost."""
