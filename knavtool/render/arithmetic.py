"""Counts: whole numbers with + - * / % and parentheses; division truncates towards zero as in Go."""

from __future__ import annotations

import ast
import re

from knavtool.errors import RenderError

_ALLOWED = re.compile(r"[0-9\s+\-*/%()]+")
_LONGEST = 1000


def evaluate(text: str) -> int:
    """The value of an expression like `2 * 3 + 1`; raises RenderError."""
    # What Python's parser would accept beyond this, it also warns about on stderr.
    if len(text) > _LONGEST or not _ALLOWED.fullmatch(text):
        raise _refused(text)
    try:
        return _value(ast.parse(text.strip(), mode="eval").body, text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise _refused(text) from None
    except ZeroDivisionError:
        raise RenderError(f"{text!r} divides by zero") from None


def _value(node: ast.expr, text: str) -> int:
    match node:
        case ast.Constant(value=int() as number) if not isinstance(number, bool):
            return number
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand, text)
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _value(operand, text)
        case ast.BinOp(left=left, op=operator, right=right):
            return _combined(_value(left, text), operator, _value(right, text), text)
        case _:
            raise _refused(text)


def _combined(left: int, operator: ast.operator, right: int, text: str) -> int:
    match operator:
        case ast.Add():
            return left + right
        case ast.Sub():
            return left - right
        case ast.Mult():
            return left * right
        case ast.Div():
            return _quotient(left, right)
        case ast.Mod():
            return left - right * _quotient(left, right)
        case _:
            raise _refused(text)


def _quotient(left: int, right: int) -> int:
    result = abs(left) // abs(right)
    return result if (left < 0) == (right < 0) else -result


def _refused(text: str) -> RenderError:
    return RenderError(f"{text[:80]!r} is not a whole number", hint="write a number or an expression like 2 * 3 + 1")
