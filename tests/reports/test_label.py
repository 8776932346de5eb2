from hypothesis import given
from hypothesis import strategies as st

from saih.reports.label import plain, shortened


def test_escape_sequences_of_terminals_vanish_and_their_text_stays() -> None:
    assert plain("\x1b[31mred\x1b[0m \x1b]8;;http://x\x07link\x1b]8;;\x07 \x9b2Jend") == "red link end"


def test_direction_overrides_and_zero_width_marks_vanish() -> None:
    assert plain("abc\u202edcb\u2066\u200b\ufeff") == "abcdcb"


def test_line_ends_become_spaces_and_lone_surrogates_are_replaced() -> None:
    assert plain("a\nb\tc\u2028d\x00") == "a b c d"
    assert plain("a\ud800b") == "a\ufffdb"


def test_markup_of_any_language_stays_as_it_is() -> None:
    text = '#read("/etc/passwd") $\\frac{1}{2}$ </script> [/x] \\input{y} =cmd()'
    assert plain(text) == text


def test_a_long_label_ends_with_an_ellipsis() -> None:
    assert shortened("abcdefgh", 5) == "abcd…"
    assert shortened("abc", 5) == "abc"


@given(st.text(max_size=60), st.integers(min_value=1, max_value=40))
def test_a_label_is_never_longer_than_asked_and_never_holds_a_control(text: str, width: int) -> None:
    short = shortened(text, width)
    assert len(short) <= width
    assert not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in short)
    assert plain(plain(text)) == plain(text)
