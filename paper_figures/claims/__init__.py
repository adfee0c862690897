"""The published numbers and findings (claims.csv), and how runs are measured and judged against them."""
