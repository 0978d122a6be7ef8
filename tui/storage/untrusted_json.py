"""Decoder of JSON that another process has written: its texts are sanitized like those of a service."""

from typing import Any, Generic, TypeVar, cast

import msgspec

from tui.presentation.sanitize import clean

T = TypeVar("T")


class CleaningDecoder(Generic[T]):
    """Decoder of values of one type."""

    def __init__(self, kind: type[T]) -> None:
        self._kind = kind
        self._decode = msgspec.json.Decoder(kind).decode

    def __call__(self, encoded: bytes) -> T:
        """Return the value. Raises msgspec.DecodeError.

        Escapes and unprintable characters are rare, and only with them a text is not as it should be.
        """
        if b"\\" not in encoded and encoded.decode("utf-8", "replace").isprintable():
            return self._decode(encoded)
        return msgspec.convert(_cleaned(msgspec.json.decode(encoded)), self._kind)


def _cleaned(value: Any) -> Any:
    match value:
        case str():
            return clean(value, 4 * len(value) + 1, keep_lines=True)  # a tab becomes four spaces
        case list():
            return [_cleaned(each) for each in cast("list[Any]", value)]
        case dict():
            return {clean(key): _cleaned(each) for key, each in cast("dict[str, Any]", value).items()}
        case _:
            return value
