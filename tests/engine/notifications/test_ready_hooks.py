"""README hooks for ntfy, Slack, Teams and mail, each tried against a local receiver with the demands of its service."""

import asyncio
import json
import re
import sys
import tomllib
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from tests.engine.notifications.test_hooks import WebhookReceiver, alert_event, running_hooks
from tests.support.servers import serve_app
from tests.support.waiting import DEADLINE
from tui.engine.notifications.events import summarize
from tui.storage.config.body_template import FIELDS, BodyTemplate
from tui.storage.config.settings import Hook, SettingsError, read

README = Path(__file__).parents[3] / "README.md"
EXAMPLES = re.search(r"<!-- hooks -->\n```toml\n(.*?)```\n\n```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
TITLE = 'Say "hi" \\ {text} <!channel> é'
NTFY_KEYS = {"topic", "message", "title", "tags", "priority", "actions", "click", "attach", "markdown", "icon", "email"}


def read_settings(tmp_path, text):
    (tmp_path / "example").mkdir(exist_ok=True)
    (tmp_path / "example" / "config.toml").write_text(text)
    return read(tmp_path / "example" / "config.toml")


def ready_hooks(tmp_path, url=""):
    """Return README's hooks as config.toml has them; webhooks are sent to the local server."""
    text = re.sub(r'url = "https://[^"]*"', f'url = "{url}/"', EXAMPLES[1]) if url else EXAMPLES[1]
    return read_settings(tmp_path, text).hooks


def ntfy_problem(message):
    """Return why ntfy rejects a message that is published as JSON."""
    if not re.fullmatch(r"[-_A-Za-z0-9]{1,64}", message.get("topic", "")):
        return "topic invalid"
    return "" if set(message) <= NTFY_KEYS and all(isinstance(each, str) for each in message.values()) else "invalid"


def slack_problem(message):
    if not message.get("text") and not message.get("blocks"):
        return "no_text"
    for block in message.get("blocks", []):
        text = block.get("text", {})
        if block["type"] != "section" or text.get("type") != "plain_text" or not 0 < len(text["text"]) <= 3000:
            return "invalid_blocks"
    return "" if set(message) <= {"text", "blocks"} else "invalid_payload"


def teams_problem(message):
    attachments = message.get("attachments")
    if message.get("type") != "message" or not attachments:
        return "no attachments"
    for each in attachments:
        card = each["content"]
        if each["contentType"] != "application/vnd.microsoft.card.adaptive" or card["type"] != "AdaptiveCard":
            return "no adaptive card"
        if not card["version"] or not all(element["type"] for element in card["body"]):
            return "empty card"
    return ""


class ServiceWebhook(WebhookReceiver):
    """Webhook of one service: it returns 400 to a request that the service would reject."""

    def __init__(self, problem_of, success):
        super().__init__(success)
        self.problem_of = problem_of
        self.messages = []

    def next_status(self):
        method, _, _, headers, body = self.requests[-1]
        message = json.loads(body)
        if method != "POST" or headers["content-type"] != "application/json" or self.problem_of(message):
            return 400
        self.messages.append(message)
        return super().next_status()


@pytest.mark.parametrize(
    ("number", "problem_of", "success", "text_of"),
    [
        (0, ntfy_problem, 200, lambda message: message["message"]),
        (1, slack_problem, 200, lambda message: message["blocks"][0]["text"]["text"]),
        (2, teams_problem, 202, lambda message: message["attachments"][0]["content"]["body"][0]["inlines"][0]["text"]),
    ],
    ids=["ntfy", "slack", "teams"],
)
async def test_a_webhook_of_the_readme_is_accepted_by_its_service(tmp_path, number, problem_of, success, text_of):
    receiver = ServiceWebhook(problem_of, success)
    with serve_app(receiver) as url:
        hook = ready_hooks(tmp_path, url)[number]
        async with running_hooks(tmp_path, hook) as (running, problems):
            running.dispatch(alert_event()._replace(text=TITLE))
            running.dispatch(summarize([alert_event()], 0.0))
            await running.finish(DEADLINE)
    assert not problems
    assert [text_of(message) for message in receiver.messages] == [TITLE, "In the quiet time: 1 done (-rf *)"]


@pytest.mark.parametrize("problem_of", [ntfy_problem, slack_problem, teams_problem])
async def test_without_a_body_the_same_services_reject_the_event(tmp_path, problem_of):
    receiver = ServiceWebhook(problem_of, 200)
    with serve_app(receiver) as url:
        (hook,) = read_settings(tmp_path, f'[[hook]]\nurl = "{url}"\n').hooks
        async with running_hooks(tmp_path, hook) as (running, problems):
            running.dispatch(alert_event())
            await running.finish(DEADLINE)
    assert problems == ["Hook 1 (127.0.0.1) returned HTTP 400"]


class MailServer:
    """SMTP server (RFC 5321) that keeps the mails."""

    def __init__(self):
        self.mails = []

    async def serve(self, reader, writer):
        def answer(line):
            writer.write(line.encode() + b"\r\n")

        answer("220 mail.test ESMTP")
        while line := (await reader.readline()).decode().strip():
            command = line.upper()
            if command.startswith("DATA"):
                answer("354 end with a full stop")
                data = await reader.readuntil(b"\r\n.\r\n")
                self.mails.append(message_from_bytes(data[:-3], policy=policy.default))
            answer("221 bye" if command == "QUIT" else "250 OK")
            if command == "QUIT":
                break
        writer.close()


async def test_the_mail_program_of_the_readme_sends_the_event(tmp_path):
    hook = ready_hooks(tmp_path)[3]
    assert hook.run[0] == "python3"
    mail_server = MailServer()
    server = await asyncio.start_server(mail_server.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    program = tmp_path / "mail.py"
    program.write_text(EXAMPLES[2].replace('"localhost"', f'"127.0.0.1", {port}'))
    async with server, running_hooks(tmp_path, Hook(run=(sys.executable, str(program)))) as (running, problems):
        running.dispatch(alert_event()._replace(text=TITLE))
        await running.finish(DEADLINE)
    assert not problems
    (mail,) = mail_server.mails
    assert (mail["To"], mail["Subject"]) == ("you@example.org", f"babeltop: {TITLE}")
    assert json.loads(mail.get_content())["event"] == "done"


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("{ text = '{txt}' }", "line 3: hook[0].body: no field {txt}; did you mean {text}?"),
        ("{ a = [{ b = '{' }] }", "line 3: hook[0].body: a single '{': write '{{' for a brace"),
        ("{ a = 2026-05-04 }", "line 3: hook[0].body: a date must be text in quotes"),
        ("'{text}'", "line 3: hook[0].body: expected a table such as { text = '{text}' }, which is sent as JSON"),
    ],
)
def test_an_invalid_body_is_named_with_its_line_and_the_nearest_field(tmp_path, body, problem):
    with pytest.raises(SettingsError) as raised:
        read_settings(tmp_path, f"[[hook]]\nurl = 'https://hooks.test'\nbody = {body}\n")
    assert raised.value.problems == (problem,)


def test_only_a_url_has_a_body(tmp_path):
    with pytest.raises(SettingsError, match=r"hook\[0\]\.body: only a url has a body"):
        read_settings(tmp_path, "[[hook]]\nrun = ['true']\nbody = { a = 'b' }\n")


def test_a_body_keeps_numbers_and_doubled_braces():
    text = tomllib.loads("a = 1\nb = [true, '{{x}} {text}']")
    values = dict.fromkeys(FIELDS, "v")
    assert BodyTemplate.parse(text).fill(values) == {"a": 1, "b": [True, "{x} v"]}
