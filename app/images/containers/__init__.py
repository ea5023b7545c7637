"""Containers of pictures, one file each: an iterator over its parts, and a reader of what they say."""
