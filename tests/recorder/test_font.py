"""Names are readable in the film, not rows of boxes."""

import pytest
from PIL import ImageFont

from recorder import font


def test_plain_names_look_the_same_on_every_machine() -> None:
    assert font.font_for("Zoe Mueller", 17).getname() == ImageFont.load_default(17).getname()


def test_where_no_font_is_installed_a_name_loses_its_accents_and_not_its_letters() -> None:
    own = ImageFont.load_default(17)
    assert font.readable("Zoë Müller – Łukasz", own).startswith("Zoe Muller")


@pytest.mark.parametrize("name", ["Zoë Müller-Łukasz", "Анна Каренина", "Ελένη", "שרה"])
def test_a_name_of_another_script_is_written_where_a_font_for_it_is_installed(name: str) -> None:
    if not any("DejaVuSans.ttf" in path.name for path in font._installed()):
        pytest.skip("DejaVu Sans is not installed (Debian: apt-get install fonts-dejavu-core)")
    assert not font.writes(ImageFont.load_default(17), name)
    assert font.writes(font.font_for(name, 17), name)


def test_a_sign_that_no_font_has_is_no_error() -> None:
    assert font.font_for("\U0010fffd", 17) is not None
