"""doc/ssh_config.md is the table of the program: no row more or less, and every test it names is there."""

import pathlib
import re
import shutil
import subprocess

import pytest

pytestmark = pytest.mark.short

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOC = (ROOT / "doc/ssh_config.md").read_text()
STATES = {"works", "accepted", "refused"}
# Of ssh_config(5), but no keywords of a line of their own: list items in the same layout.
PAGES_ALONE = set()


def doc_rows(pattern):
    """name -> (state, text)"""
    return {m[1]: (m[2], m[3]) for m in re.finditer(r"^\| `%s` \| (\w+) \| (.*) \|$" % pattern, DOC, re.M)}


KEYWORDS = doc_rows(r"(\w\w+)")
LETTERS = doc_rows(r"-(\w)")


def program_keywords():
    text = (ROOT / "config/option_client.c").read_text()
    text = text[text.index("const struct option_row option_client_rows") :]
    macro = r"\b(?:BUILT\w*|IDLE|ACCEPTED|RESTRICTION|ALIAS|DEPRECATED|BLOCK)\(\s*(?:OPTION_\w+,\s*)?\"(\w+)\""
    return set(re.findall(macro, text)) | set(re.findall(r"\{\.name = \"(\w+)\"", text))


def program_letters():
    found = set()
    for path in ("config/option.c", "client/args.c"):
        text = (ROOT / path).read_text()
        text = text[text.index("letters[] = {") :]
        found |= set(re.findall(r"^    \{'(\w)',", text[: text.index("\n};")], re.M))
    return found


def page(name):
    """A manual page as plain text, or None."""
    if not shutil.which("man"):
        return None
    done = subprocess.run(["man", "-P", "cat", name], capture_output=True, text=True, env={"MANWIDTH": "100", "PATH": "/usr/bin:/bin", "LC_ALL": "C"})
    return re.sub(".\b", "", done.stdout) if done.returncode == 0 else None


def test_every_keyword_of_the_program_has_its_row():
    assert len(KEYWORDS) > 100 and set(KEYWORDS) == program_keywords()


def test_every_letter_of_the_program_has_its_row():
    assert len(LETTERS) > 40 and set(LETTERS) == program_letters()


def test_each_row_has_a_state_and_each_that_works_a_test():
    for name, (state, text) in list(KEYWORDS.items()) + list(LETTERS.items()):
        assert state in STATES, name
        assert (state == "works") == ("::" in text), name


def test_each_test_that_is_named_is_there():
    named = set(re.findall(r"`([\w/]+\.(?:py|c))::(\w+)`", DOC))
    assert len(named) > 50
    for path, name in named:
        pattern = r"^def %s\(" if path.endswith(".py") else r"^static void %s\("
        assert re.search(pattern % name, (ROOT / path).read_text(), re.M), (path, name)


def test_every_keyword_of_debians_manual_is_there():
    text = page("ssh_config")
    if text is None:
        pytest.skip("needs the manual page ssh_config(5)")
    known = {name.lower() for name in KEYWORDS}
    # A keyword begins a line at the list's own indent.
    listed = re.findall(r"^     ([A-Z][A-Za-z0-9]+)(?:$| {2,}|\t)", text[text.index("Host ") :], re.M)
    assert len(listed) > 80
    assert {name for name in listed if name.lower() not in known} == PAGES_ALONE


def test_every_letter_of_debians_manual_is_there():
    text = page("ssh")
    if text is None:
        pytest.skip("needs the manual page ssh(1)")
    listed = set(re.findall(r"^     -(\w)\b", text, re.M))
    assert len(listed) > 40 and listed <= set(LETTERS)
