"""Filter language of the dashboard's `/`, of `--filter` and of saved views."""
