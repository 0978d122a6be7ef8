"""Lists of an account's jobs: pages, and the jobs on them."""
