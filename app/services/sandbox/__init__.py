"""Confinement of the processes that decode strangers' pictures: what the kernel is told to refuse them."""
