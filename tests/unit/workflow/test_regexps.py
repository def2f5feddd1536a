"""RE2 as Python's re reads it."""

from __future__ import annotations

import pytest

from knavtool.workflow.references.regexps import BadPattern, compile_pattern


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        (r"job1-[0-9]+-.*", "job1-12-x7k2p"),
        (r"\d+-\S+", "0-abc"),
        (r"^job1-\d$", "job1-3"),
        (r"\Ajob1\z", "job1"),
        (r"(?P<n>a|b)c", "bc"),
        (r"(?<n>a|b)c", "bc"),
        (r"\Qa.b+\Ec", "a.b+c"),
        (r"\Qa.b", "a.b"),
        (r"[[:alpha:]]+[^[:digit:]]", "abc-"),
        (r"[]a]+", "a]"),
        (r"[[a]+", "[a"),
        (r"[a&&b]+", "a&b"),
        (r"[a\-z]+", "a-z"),
        (r"\x{61}\x62", "ab"),
        (r"(?i)JOB(?-i)x", "jobx"),
        (r"a(?i)B", "ab"),
        (r"(?i:JOB)-x", "job-x"),
        (r"(?U)a+b*?", "aaabb"),
        (r"x{,2}", "x{,2}"),
        (r"x{2,3}?", "xxx"),
        (r"a|(?:b|c)d", "cd"),
        (r"a\.b", "a.b"),
        (r"()", ""),
    ],
)
def test_matches_whole_names_as_go_does(pattern: str, name: str) -> None:
    assert compile_pattern(pattern).fullmatch(name)


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        (r"job1-.*", "myjob1-x"),
        (r"job1", "job1-x"),
        (r"a(?i)b|c", "A"),
        (r"(a(?i)b)c", "abC"),
        (r"\d", "٣"),
        (r"a|b", "ab"),
    ],
)
def test_does_not_match_more(pattern: str, name: str) -> None:
    assert not compile_pattern(pattern).fullmatch(name)


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        (r"a(?=b)", "lookaround"),
        (r"(?<!a)b", "lookaround"),
        (r"(a)\1", "back-references"),
        (r"(?P=n)", "not in RE2"),
        (r"a++", "two repetitions"),
        (r"a{2}{3}", "two repetitions"),
        (r"(?>a)", "not in RE2"),
        (r"(?#x)a", "not in RE2"),
        (r"a\Z", r"\\Z is not in RE2"),
        (r"\u0061", "not in RE2"),
        (r"\pL", "not supported"),
        (r"a{1001}", "more than 1000"),
        (r"(a", "not closed"),
        (r"a)", "not opened"),
        (r"[a", "not closed"),
        (r"*a", "nothing to repeat"),
        ("a\\", "ends with a backslash"),
        (r"[z-a]", "bad character range"),
    ],
)
def test_refuses_what_re2_does_not_have(pattern: str, reason: str) -> None:
    with pytest.raises(BadPattern, match=reason):
        compile_pattern(pattern)
