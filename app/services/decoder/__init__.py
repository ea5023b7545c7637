"""Decoding and rendering with libvips, behind the `ImageProcessor` protocol."""
