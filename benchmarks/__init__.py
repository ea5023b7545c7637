"""Measurements, side by side with what back ends usually do, on the same inputs in one run."""
