"""Cases of one test that share a costly start."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager


@contextmanager
def cases() -> Iterator[Callable[..., AbstractContextManager[None]]]:
    """Yield a function that begins a named case. All cases run; those that do not hold are raised at the end."""
    failed: list[AssertionError] = []

    @contextmanager
    def case(*name: object) -> Iterator[None]:
        try:
            yield
        except AssertionError as error:
            error.add_note(f"case: {', '.join(map(str, name))}")
            failed.append(error)

    yield case
    if failed:
        raise ExceptionGroup(f"{len(failed)} cases do not hold", failed)
