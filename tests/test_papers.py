"""What the papers say is true."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from signaling.config import BadSetting, Settings, variable

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
SETTINGS = (ROOT / "docs/settings.md").read_text()


@pytest.mark.parametrize("item", fields(Settings), ids=lambda item: item.name)
def test_every_setting_is_in_the_papers_with_its_default(item):
    row = re.search(rf"^\| `{variable(item.name)}` \| (.*?) \| (.*) \|$", SETTINGS, re.MULTILINE)

    assert row is not None, f"{variable(item.name)} is not in the table of docs/settings.md"
    spoken = {False: "no", True: "yes"}[item.default] if isinstance(item.default, bool) else item.default
    default = "" if item.default in ("", ()) else f"`{spoken}`"
    assert (row[1].strip(), row[2]) == (default, item.metadata["about"])


def test_every_command_the_papers_name_is_in_the_makefile():
    makefile = (ROOT / "Makefile").read_text()

    papers = "".join(path.read_text() for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))))

    for target in re.findall(r"(?:`|^)make ([a-z-]+)", papers, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_every_picture_of_the_readme_is_there():
    for path in re.findall(r"!\[[^]]*\]\(([^)]+)\)", README):
        assert (ROOT / path).is_file(), path


def test_every_paper_the_readme_leads_to_is_there():
    for path in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / path).exists(), path


def test_a_setting_that_cannot_be_used_stops_the_start_and_says_how_to_mend_it(tmp_path):
    with pytest.raises(BadSetting, match=r"LETTERBOX_WAIT_S='soon' cannot be used.*how long a poll"):
        Settings.from_environ({"LETTERBOX_DATA_DIR": str(tmp_path), "LETTERBOX_WAIT_S": "soon"})


def test_secrets_are_made_once_and_readable_by_their_owner_alone(tmp_path):
    first = Settings.from_environ({"LETTERBOX_DATA_DIR": str(tmp_path)})

    again = Settings.from_environ({"LETTERBOX_DATA_DIR": str(tmp_path)})

    assert (first.recorder_key, first.secret_key) == (again.recorder_key, again.secret_key)
    assert (tmp_path / "secrets.json").stat().st_mode & 0o077 == 0
