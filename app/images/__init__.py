"""Knowledge about images, pure: no I/O, no clock, no settings; results depend on arguments alone."""
