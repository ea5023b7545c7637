"""Heaven Connect Image Service: photos in, small, safe and upright pictures in S3 out."""
