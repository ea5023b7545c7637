"""CloudFront: signed URLs and cookies, and invalidations that no restart loses."""
