"""Regular expressions held against RE2 itself: both refuse one, or both match the same names."""

from __future__ import annotations

import re

import pytest
import re2
from hypothesis import assume, example, given
from hypothesis import strategies as st

from fuzz.cases import cases
from knavtool.workflow.references.regexps import BadPattern, compile_pattern

_QUIET = re2.Options()
_QUIET.log_errors = False
_CHARACTERS = st.sampled_from(
    [*"abcAKs019-_. \n\t\v{}],:^/&~#", "\\-", "\\.", "\\_", "\\n", "\\x41", "\\x{61}", "\\141", "é"]
)
_ESCAPES = st.sampled_from(
    [
        *(rf"\{letter}" for letter in "dDsSwWbBAzafnrtv0EZxQ1cuGhN8"),
        r"\07",
        r"\12",
        r"\x{110000}",
        r"\x{00000041}",
        r"\xf",
    ]
)
_CLASS_NAMES = st.sampled_from(["alpha", "digit", "word", "space", "punct", "^alnum", "xdigit", "foo", ""])
_CLASS_ITEMS = st.one_of(
    _CHARACTERS,
    st.sampled_from(
        ["a-c", "0-9", "A-z", "-", "z-a", "[", "]", "--/", r"\b", r"\Q", r"\d", r"\S", r"\w-", r"a-\d", "K", "s"]
    ),
    st.builds("[:{}:]".format, _CLASS_NAMES),
)
_CLASSES = st.builds(
    lambda sign, items, end: f"[{sign}{''.join(items)}{end}",
    st.sampled_from(["", "^"]),
    st.lists(_CLASS_ITEMS, max_size=4),
    st.sampled_from(["]"] * 15 + [""]),
)
_QUOTED = st.builds(r"\Q{}{}".format, st.text("ab.*\\[", max_size=4), st.sampled_from([r"\E", r"\E", ""]))
_FLAGS = st.sampled_from(["i", "m", "s", "U", "im", "i-s", "-i", "-", "ms-iU", "x", "", "i-", "i-i"])
_REPETITIONS = st.one_of(
    st.sampled_from(
        ["*", "+", "?", "*?", "+?", "??", "**", "{", "{,2}", "{1", "{2,1}", "{01}", "{1001}", "{0}", "{1,}?"]
    ),
    st.builds("{{{},{}}}".format, st.integers(0, 3), st.integers(1, 4)),
    st.builds("{{{}}}".format, st.sampled_from([0, 1, 2, 10, 32, 1000])),
)
_ATOMS = st.one_of(_CHARACTERS, _CHARACTERS, st.sampled_from([".", "^", "$", "|"]), _ESCAPES, _CLASSES, _QUOTED)
_OPENINGS = st.one_of(
    st.sampled_from(
        ["(", "(", "(?:", "(?P<n>", "(?<n>", "(?P<m>", "(?<1>", "(?P<>", "(?=", "(?<=", "(?>", "(?#", "(?P=n"]
    ),
    st.builds("(?{}:".format, _FLAGS),
)


def _longer(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds("{}{}".format, inner, inner),
        st.builds("{}{}".format, inner, _REPETITIONS),
        st.builds("{}|{}".format, inner, inner),
        st.builds("{}{})".format, _OPENINGS, inner),
        st.builds("(?{}){}".format, _FLAGS, inner),
    )


_PATTERNS = st.recursive(_ATOMS, _longer, max_leaves=10)
_NAMES = st.lists(st.text("abcAK019-_. \n\t\vksSz{}\\]:E", max_size=6), min_size=8, max_size=8)


def _agree(pattern: str, names: list[str]) -> None:
    # Unicode classes are refused here, and \C, which reads a byte, is not in Go.
    assume(not re.search(r"\\[pPC]", pattern))
    try:
        reference = re2.compile(pattern, _QUIET)
    except re2.error as error:
        # RE2 gives up on programs that become too large for it, which Go does not.
        assume("too large" not in str(error))
        with pytest.raises(BadPattern):
            compile_pattern(pattern)
        return
    compiled = compile_pattern(pattern)
    for name in names:
        assert bool(compiled.fullmatch(name)) == bool(reference.fullmatch(name)), (pattern, name)


@cases(800)
@given(pattern=_PATTERNS, names=_NAMES)
@example(pattern=r"a|x(?i)b|c", names=["xB", "C", "A", "XB", "a"])
@example(pattern=r"(?:a{32}){32}", names=["a"])
@example(pattern=r"a$\n", names=["a\n"])
@example(pattern=r"\B", names=[""])
@example(pattern=r"(?i)[^k\x{17f}]", names=["K", "s", "S", "a"])
def test_generated_patterns(pattern: str, names: list[str]) -> None:
    _agree(pattern, names)


@cases(500)
@given(pattern=st.text("ab(|)[]{}*+?^$.\\dQE-,1:<>P=imsU", max_size=12), names=_NAMES)
def test_any_text(pattern: str, names: list[str]) -> None:
    _agree(pattern, names)
