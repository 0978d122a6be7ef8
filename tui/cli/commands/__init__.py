"""One module per subcommand, imported when it runs."""
