"""Fields of a response that a provider file does not map, and the example files."""

from pathlib import Path

from tui.providers import loader
from tui.providers.loader import provider_registry
from tui.providers.unmapped_fields import find_unmapped

EXAMPLES = Path(loader.__file__).parent / "examples"


def test_the_example_files_are_valid() -> None:
    files = list(EXAMPLES.glob("*.toml"))
    assert files
    for file in files:
        assert loader.load(file).name == file.stem


def test_unmapped_fields_of_a_response_are_listed() -> None:
    provider = provider_registry()["deepl-voice"]
    body = {
        "id": "v1",
        "targets": [{"language": "de", "voice": "x"}],
        "results": [{"status": "failed", "error": {"code": 3, "message": "No voice."}}],
    }
    assert find_unmapped(provider, provider.endpoint(), body) == ["/id", "/targets/0/voice", "/results/0/error/code"]
    batch = provider_registry()["azure-documents"]
    counts = {"summary": {"total": 10, "failed": 1, "success": 9, "cancelled": 0, "inProgress": 0}, "status": "Running"}
    assert find_unmapped(batch, batch.endpoint(), counts) == ["/summary/inProgress"]
    assert len(find_unmapped(provider, provider.endpoint(), list(range(1000)))) == 30
    assert find_unmapped(provider, provider.endpoint(), {"a/b": {"~": 1}}) == ["/a~1b/~0"]
