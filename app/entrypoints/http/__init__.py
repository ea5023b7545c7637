"""The HTTP API: application, router, authentication, answers to errors."""
