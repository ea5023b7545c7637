"""Use cases and adapters: the only place bytes move."""
