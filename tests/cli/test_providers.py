import signal
import tomllib
from pathlib import Path

from tests.cli.conftest import Program
from tests.support.provider_files import write_provider_file
from tui.cli.commands.providers import SCENARIOS
from tui.providers import loader
from tui.simulator.scenario import BEHAVIOURS

MINE = """\
name = "mine"
title = "My own service"
base_url = "https://api.example.com"
key = { header = "x-api-key", env = "MINE_KEY" }
cadence = "text"
[status]
path = "/jobs/{id}"
value = ["/state"]
title = ["/name"]
[[links]]
kind = "document"
url = ["/url"]
lifetime = "1h"
"""


def test_providers_shows_accounts_and_replaced_files(configured: Program) -> None:
    file = write_provider_file(configured.config, "camb", MINE.replace('"mine"', '"camb"'))
    completed = configured("providers")
    assert (completed.code, completed.err) == (0, "")
    lines = {line.split()[0]: line for line in completed.out.splitlines()}
    assert set(lines) == {"NAME", *loader.builtin_files()}
    assert f"{file}, replaces the built-in file" in lines["camb"]
    assert lines["konpro"].endswith("built-in")
    assert lines["rask"].endswith("built-in, partly inferred")
    assert " konpro " in lines["konpro"].partition("KONPRO_API_KEY")[2]


def test_an_invalid_file_is_reported_and_affects_no_other(configured: Program) -> None:
    file = write_provider_file(configured.config, "mine", MINE.replace("value =", "values ="))
    completed = configured("providers")
    assert completed.code == 2
    assert f"{file}:" in completed.err
    assert "line 8: status.values: unknown key; did you mean 'value'?" in completed.err
    assert "line 6: status.value: missing" in completed.err
    assert "konpro" in completed.out
    assert configured("list").code == 0


def test_providers_check_shows_what_it_reads(configured: Program) -> None:
    file, reply = write_provider_file(configured.config, "mine", MINE), configured.folder / "reply.json"
    reply.write_text('{"state": "done", "name": "\\u001b[2JA", "url": "https://cdn.example.com/a?x=1"}')
    completed = configured("providers", "check", str(file), "--sample", str(reply))
    assert completed.code == 0
    lines = dict(line.split(None, 1) for line in completed.out.splitlines() if " link" not in line)
    assert (lines["phase"], lines["title"], lines["language"]) == ("done", "A", "·")
    assert "document link" in completed.out
    assert ", estimated)" in completed.out


def test_providers_check_shows_a_response_without_a_report(configured: Program) -> None:
    file, reply = write_provider_file(configured.config, "mine", MINE), configured.folder / "reply.json"
    reply.write_text('{"run_id": 123}')
    line = f"providers check {file} --sample"
    completed, limited, kind, nowhere = configured.run_each(
        f"{line} {reply}", f"{line} {reply} --status 429", f"{line} {reply} --kind dub", f"{line} /nowhere"
    )
    assert [each.code for each in (completed, limited, kind, nowhere)] == [2, 0, 2, 2]
    assert "malformed" in completed.out
    assert "limited" in limited.out
    assert "mine has no kind 'dub'" in kind.err
    assert "/nowhere: No such file" in nowhere.err


def test_providers_check_reports_every_error_of_a_file(configured: Program) -> None:
    file = write_provider_file(configured.config, "mine", MINE.replace("cadence", "cadenza"))
    completed = configured("providers", "check", str(file))
    assert completed.code == 2
    assert "cadence: missing" in completed.err


def test_simulate_prints_a_configuration_that_works(babeltop: Program) -> None:
    process = babeltop.start("simulate", "--port", "0", "--speed", "1000", "--seed", "3")
    assert process.stdout
    printed = [process.stdout.readline()]
    while "konpro" not in tomllib.loads("".join(printed)).get("accounts", {}):  # the last one
        printed.append(process.stdout.readline())
    printed += [process.stdout.readline(), process.stdout.readline()]
    (babeltop.config / "config.toml").write_text("".join(printed))
    assert babeltop("add", "camb:a", "konpro:b", "flixu:c", "heygen:d").code == 0
    assert babeltop("check").code == 0
    process.send_signal(signal.SIGINT)
    completed = babeltop.end(process)
    assert (completed.code, completed.err) == (130, "")


def test_simulate_reports_a_port_in_use(babeltop: Program) -> None:
    port = babeltop.service.rpartition(":")[2]
    completed = babeltop("simulate", "--port", port)
    assert completed.code == 2
    assert f"port {port}: " in completed.err


def test_simulate_lists_every_scenario() -> None:
    assert set(SCENARIOS) == BEHAVIOURS


def test_an_example_file_adds_a_service(configured: Program) -> None:
    names = configured("providers", "example").out.split()
    assert names == sorted(["operations", *loader.builtin_files()])
    for name in ("elevenlabs", "operations"):
        write_provider_file(configured.config, name, configured("providers", "example", name).out)
    completed = configured("providers", "check", str(configured.config / "providers" / "operations.toml"))
    assert (completed.code, completed.err) == (
        0,
        f"babeltop: {configured.config}/providers/operations.toml is valid: Operations\n",
    )
    assert "OPERATIONS_TOKEN" in configured("providers").out
    wrong = configured("providers", "example", "elevenlab")
    assert (wrong.code, "did you mean 'elevenlabs'?" in wrong.err) == (2, True)


def test_a_file_named_like_a_built_in_service_replaces_it(configured: Program) -> None:
    file = write_provider_file(
        configured.config, "camb", MINE.replace('"mine"', '"camb"').replace("/jobs/{id}", "/v1/translate/{id}")
    )
    (shape,) = [each for each in configured("providers", "--json").json if each["name"] == "camb"]
    assert (shape["file"], shape["overrides"], shape["title"]) == (str(file), True, "My own service")


def test_unmapped_fields_of_a_sample_are_listed(configured: Program) -> None:
    file, reply = write_provider_file(configured.config, "mine", MINE), configured.folder / "reply.json"
    reply.write_text('{"state": "done", "progress": 0.5, "user": {"name": "x"}}')
    completed = configured("providers", "check", str(file), "--sample", str(reply))
    assert completed.out.splitlines()[-1].split(None, 1) == ["unmapped", "/progress  /user/name"]


def test_providers_new_proposes_a_file_that_providers_check_accepts(babeltop: Program, tmp_path: Path) -> None:
    sample = tmp_path / "response.json"
    sample.write_text('{"data": {"status": "PROCESSING", "progress": 45, "videoUrl": "https://cdn.test/v.mp4"}}')
    completed = babeltop("providers", "new", "acme-dub", "--from", str(sample))
    assert completed.code == 0
    assert "phase: running" in completed.err
    assert "title: ·\n" in completed.err
    file = babeltop.config / "providers" / "acme-dub.toml"
    file.parent.mkdir()
    file.write_text(completed.out)
    checked = babeltop("providers", "check", str(file), "--sample", str(sample))
    assert (checked.code, "PROCESSING" in checked.out) == (0, True)
    sample.write_text('{"name": "x"}')
    refused = babeltop("providers", "new", "acme-dub", "--from", str(sample))
    assert (refused.code, "status.value: missing" in refused.err) == (2, True)
