"""Pictures with canaries in every place for metadata."""
