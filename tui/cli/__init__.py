"""Command line: parser, subcommands and their output."""
