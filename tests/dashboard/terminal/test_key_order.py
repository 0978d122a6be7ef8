"""Keys of one burst: each is handled after the one before, whatever that has opened, focused or closed."""

import asyncio

import pytest
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Container
from textual.screen import ModalScreen
from textual.widgets import Input

from tests.support.waiting import until
from tui.dashboard.terminal import key_order
from tui.dashboard.terminal.key_order import OrderedKeys


class Question(ModalScreen[None]):
    """Dialog with a field; Enter closes it."""

    def compose(self) -> ComposeResult:
        yield Input()

    def on_input_submitted(self) -> None:
        self.dismiss()


class TypedApp(OrderedKeys):
    """App to which a terminal sends keys."""

    def type(self, *keys: str) -> None:
        """Send the keys as a terminal does that has received all of them at once."""
        for key in keys:
            self.post_message(events.Key(key, key if len(key) == 1 else None))


class Form(TypedApp):
    """Two fields, and a dialog that ^o opens."""

    BINDINGS = [Binding("ctrl+o", "open", priority=True)]  # noqa: RUF012  Textual's own type

    def __init__(self) -> None:
        super().__init__()
        self.answers: list[str] = []

    def compose(self) -> ComposeResult:
        yield Input(id="one")
        yield Input(id="two")

    def action_open(self) -> None:
        screen = Question()
        self.push_screen(screen, lambda _: self.answers.append(screen.query_one(Input).value))

    def values(self) -> list[str]:
        return [field.value for field in self.screen_stack[0].query(Input)]


async def test_text_goes_into_the_field_that_the_key_before_it_has_focused():
    app = Form()
    async with app.run_test():
        app.type(*"abc", "tab", *"def", "shift+tab", "x", "ctrl+u", "y")
        await until(lambda: app.values() == ["y", "def"] or len("".join(app.values())) > len("abcdefxy"))
        assert app.values() == ["y", "def"]


async def test_text_goes_into_the_dialog_that_the_key_before_it_has_opened():
    app = Form()
    async with app.run_test():
        app.type("a", "ctrl+o", *"bc", "enter", "d", "ctrl+o", "e", "enter", "f")
        await until(lambda: len("".join([*app.values(), *app.answers])) == len("abcdef"))
        assert (app.values(), app.answers) == (["adf", ""], ["bc", "e"])


async def test_a_paste_keeps_its_place_among_the_keys():
    app = Form()
    async with app.run_test():
        app.type("a")
        app.post_message(events.Paste("pasted"))
        app.type("tab", "b")
        await until(lambda: len("".join(app.values())) == len("apastedb"))
        assert app.values() == ["apasted", "b"]


class Wizard(TypedApp):
    """Field in boxes, after whose submission the next one has the focus."""

    def compose(self) -> ComposeResult:
        with Container(), Container(), Container():
            yield Input(id="one")
        yield Input(id="two")

    @on(Input.Submitted, "#one")
    def _focus_next(self) -> None:
        self.query_one("#two").focus()


async def test_text_goes_into_the_field_that_a_submission_before_it_has_focused():
    app = Wizard()
    async with app.run_test() as pilot:
        app.query_one("#one").focus()
        await pilot.pause()
        app.type(*"abc", "enter", *"def")
        fields = list(app.query(Input))
        await until(lambda: len("".join(field.value for field in fields)) == len("abcdef"))
        assert [field.value for field in fields] == ["abc", "def"]


class StuckField(Input):
    """Field whose first key is being handled until it is released."""

    def __init__(self) -> None:
        super().__init__()
        self.reached, self.released = asyncio.Event(), asyncio.Event()

    async def _on_key(self, event: events.Key) -> None:
        self.reached.set()
        await self.released.wait()


async def test_keys_are_handled_on_after_one_that_never_ends(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(key_order, "STUCK_AFTER", 0.01)
    app = Form()
    async with app.run_test():
        stuck = StuckField()
        await app.mount(stuck)
        app.set_focus(stuck)
        app.type("a")
        await stuck.reached.wait()
        app.set_focus(app.query_one("#two"))
        app.type("b", "c")
        await until(lambda: len("".join(app.values())) == len("bc"))
        assert app.values() == ["", "bc", ""]
        stuck.released.set()
