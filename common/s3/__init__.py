"""S3, and stores that speak its protocol. boto3 is imported in `client` and `errors` alone, which
are imported where a bucket is used: it takes a second."""
