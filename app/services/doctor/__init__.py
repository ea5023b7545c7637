"""Looks at the configuration, the store and the bucket, and says what is wrong and what to do about it."""
