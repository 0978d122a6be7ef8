"""config.toml and API keys."""
