"""What everything may import: settings, the error tree, logging."""
