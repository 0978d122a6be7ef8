"""Provider files of an operator, for tests."""

from pathlib import Path

from tui.cli.commands.providers import EXAMPLES


def provider_file(name: str, tables: str) -> str:
    """Return the text of a provider file with these tables, and what every one needs above them."""
    return (
        f'name = "{name}"\ntitle = "{name.title()}"\nbase_url = "https://{name}.invalid"\n'
        f'key = {{ header = "x-api-key" }}\ncadence = "text"\n{tables}'
    )


def write_provider_file(config_dir: Path, name: str, text: str) -> Path:
    """Write a provider file into a config folder, and return its path."""
    folder = config_dir / "providers"
    folder.mkdir(exist_ok=True)
    file = folder / f"{name}.toml"
    file.write_text(text)
    return file


def write_example(config_dir: Path, name: str) -> Path:
    """Write an example file that comes with the program into a config folder, and return its path."""
    return write_provider_file(config_dir, name, (EXAMPLES / f"{name}.toml").read_text())
