"""Messages stay short and on one line, whatever was found."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latentlab.errors import LONGEST, choices, cut, quoted


@given(st.text(), st.integers(3, 30))
def test_a_cut_text_has_its_start_and_its_end(text, length):
    shown = cut(text, length)
    if len(text) <= length:
        assert shown == text
    else:
        start, end = shown.split("…", 1) if "…" not in text else (shown[:1], "")
        assert len(shown) == length
        assert text.startswith(start)
        assert text.endswith(end)


@given(st.recursive(st.text() | st.integers() | st.none(), st.lists))
def test_a_quoted_value_is_one_short_line(value):
    assert len(quoted(value).splitlines()) == 1
    assert len(quoted(value)) <= LONGEST
    if len(repr(value)) <= LONGEST:
        assert quoted(value) == repr(value)


def test_a_number_that_python_does_not_write_is_described():
    with pytest.raises(ValueError, match="digits"):
        str(16**5000)
    assert quoted(16**5000) == "a number of thousands of digits"


def test_a_thousand_long_names_are_listed_in_part():
    names = [f"{i:04}{'x' * 1000}\n" for i in range(1000)]
    text = choices("y", names)
    assert text.startswith("known: 0000xxx")
    assert text.endswith(" and 960 more")
    assert len(text) < 5000
    assert "\n" not in text
