# judge.py - judging: arguments from text, expected values from text, the comparison.
#
# Follows judge_data.py in the same private namespace; see there. Called by
# python_judge.c: parse_input(), fit_input(), compile_expression() and describe() where the program
# runs, prepare_case() and compare_case() in an interpreter that never ran it.

import builtins
import marshal
from _ast import Add, BinOp, Call, Constant, Dict, List, Name, Set, Sub, Tuple, UAdd, UnaryOp, USub
from math import inf as _inf

DIGITS_MAX = 20000  # of an int in an input or an output: conversion is not linear
TEXT_MAX = 16 << 10  # characters of a value that is shown
ARGUMENTS_VERSION = 4  # of marshal, read by every CPython that a worker may have
INPUT_RULE = (
    "it must be empty, or keyword arguments whose values are Python literals"
    ' (a=1, b=[2, 3]), or one Python literal'
)

_ONLY_AST = 0x400
_original_builtins = dict(vars(builtins))
_set_digits = getattr(sys, "set_int_max_str_digits", lambda digits: None)
_get_digits = getattr(sys, "get_int_max_str_digits", lambda: DIGITS_MAX)


def _say(error):
    """An exception in a line."""
    try:
        text = str(error)
    except BaseException:
        text = ""
    name = type(error).__name__
    return "%s: %s" % (name, text[:500]) if text else name


def _compile(text, filename, flags=0):
    return compile(text.strip(), filename, "eval", flags, True)


# ---- literals ---------------------------------------------------------------------------
# As ast.literal_eval(), but free of `ast`, which the program can have patched.

_NUMBERS = (int, float, complex)


def _sign(node):
    value = _literal(node.operand)
    if type(value) not in _NUMBERS:
        raise ValueError("only numbers have a sign")
    return -value if type(node.op) is USub else value


def _complex(node):
    left, right = _literal(node.left), _literal(node.right)
    if type(left) not in (int, float) or type(right) is not complex:
        raise ValueError("an operation is not a literal")
    return left + right if type(node.op) is Add else left - right


def _literal(node):
    kind = type(node)
    if kind is Constant:
        return node.value
    if kind is List:
        return [_literal(part) for part in node.elts]
    if kind is Tuple:
        return tuple([_literal(part) for part in node.elts])
    if kind is Set:
        return {_literal(part) for part in node.elts}
    if kind is Dict and None not in node.keys:
        return {_literal(key): _literal(value) for key, value in zip(node.keys, node.values)}
    if kind is UnaryOp and type(node.op) in (USub, UAdd):
        return _sign(node)
    if kind is BinOp and type(node.op) in (Add, Sub):
        return _complex(node)
    if kind is Call and _is_call_of(node, "set") and not node.args and not node.keywords:
        return set()
    if kind is Name:
        raise ValueError("the name %s is not a literal" % node.id)
    raise ValueError("%s is not a literal" % kind.__name__)


def _is_call_of(node, name):
    return type(node) is Call and type(node.func) is Name and node.func.id == name


def literal(text, filename="<literal>"):
    return _literal(_compile(text, filename, _ONLY_AST).body)


# ---- where the program runs --------------------------------------------------------------


def _as_call(text):
    """The tree of f(text), or None if that is not one call with keywords only.

    A text such as `1) + (2` closes the call itself: it gives something else than
    a call of the plain name f, or one with positional arguments.
    """
    try:
        tree = _compile("f(" + text + "\n)", "<input>", _ONLY_AST).body
    except (SyntaxError, ValueError):
        return None
    if not _is_call_of(tree, "f") or tree.args:
        return None
    return tree if all([keyword.arg for keyword in tree.keywords]) else None


def _arguments(text):
    tree = _as_call(text)
    if tree is None:
        return (literal(text, "<input>"),), {}
    if len({keyword.arg for keyword in tree.keywords}) < len(tree.keywords):
        raise ValueError("a keyword is repeated")
    return (), {keyword.arg: _literal(keyword.value) for keyword in tree.keywords}


def parse_input(text):
    """(positional, keywords) of a case's input, or ValueError."""
    digits = _get_digits()
    _set_digits(DIGITS_MAX)
    try:
        return _arguments(text)
    except Exception as error:
        shown = text if len(text) <= 200 else text[:200] + "\u2026"
        reason = "the input cannot be used: %s; %s; it is %r" % (_say(error), INPUT_RULE, shown)
    finally:
        _set_digits(digits)
    raise ValueError(reason)


class _Sample:
    def method(self):
        pass


_FUNCTION, _METHOD = type(_Sample.method), type(_Sample().method)
_VARIABLE_KEYWORDS = 8  # inspect.CO_VARKEYWORDS; inspect itself the program can have patched


def _plain_function(function):
    """The Python function that a callable ends in, or None, and how many of its parameters
    (self) are given already: as inspect.signature() finds them."""
    given = 0
    for depth in range(16):
        wrapped = getattr(function, "__wrapped__", None)
        if wrapped is not None:
            function = wrapped
        elif type(function) is _METHOD:
            function, given = function.__func__, 1
        elif isinstance(function, type):
            function, given = function.__init__, 1
        else:
            break
    return function if type(function) is _FUNCTION else None, given


def fit_input(function, arguments):
    """The arguments without the names that the function does not take."""
    positional, keywords = arguments
    plain, given = _plain_function(function) if keywords else (None, 0)
    if plain is None or plain.__code__.co_flags & _VARIABLE_KEYWORDS:
        return arguments
    code = plain.__code__
    first = max(code.co_posonlyargcount, given)
    names = code.co_varnames[first : code.co_argcount + code.co_kwonlyargcount]
    return positional, {name: value for name, value in keywords.items() if name in names}


def compile_expression(text, filename):
    return _compile(text, filename)


def describe(value):
    """(text, None) for data, else (None, why not or None)."""
    try:
        return encode(value), None
    except TooLarge:
        return None, "the result is larger than 1 MiB"
    except BaseException:
        return None, None


# ---- expected values -----------------------------------------------------------------------
# From here on: in an interpreter that never ran the program.


class NeedsNames(Exception):
    """Only the program's own names can give this value."""


class Unusable(Exception):
    """With the sentence for the client."""


def _evaluate(text):
    try:
        return literal(text, "<expected output>")
    except Exception:
        pass
    try:
        code = _compile(text, "<expected output>")
        return eval(code, {"__builtins__": dict(_original_builtins)})
    except NameError as error:
        raise NeedsNames(_say(error)) from None
    except BaseException as error:
        raise Unusable("the expected output cannot be evaluated: " + _say(error)) from None


def _expected_value(text):
    value = _evaluate(text)
    data, why = describe(value)
    if data is None:
        what = "is larger than 1 MiB" if why else "is no data that could be compared"
        raise Unusable("the expected output %s: it is of type %s" % (what, type(value).__name__))
    return decode(data.encode())


def _tolerance(case):
    text = case.get("tolerance")
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < _inf:
        raise Unusable("the tolerance must be a finite number of at least 0, not %r" % text[:100])
    return value


def _put_arguments(case, result):
    """Reading text is dear in a fork. An input that is none fails where the program runs."""
    try:
        result["arguments"] = marshal.dumps(parse_input(case["input"]), ARGUMENTS_VERSION)
    except Exception:
        pass


def prepare_case(case, limit=0):
    _set_digits(DIGITS_MAX)
    result = {}
    if "input" in case:
        _put_arguments(case, result)
    try:
        _tolerance(case)
        if "output" in case:
            _expected_value(case["output"])
        elif "stdout" not in case:
            raise Unusable("there is no expected output")
    except NeedsNames:
        result["needs_names"] = 1
    except Unusable as error:
        result["message"] = str(error)
    except Exception as error:
        result["message"] = "the expected output cannot be used: " + _say(error)
    return result


# ---- equality ------------------------------------------------------------------------------


def _is_number(value):
    return type(value) in _NUMBERS or type(value).__name__ in ("Fraction", "Decimal")


def _within(got, expected, tolerance):
    """abs(got - expected) <= tolerance * max(1, abs(expected)), of finite numbers."""
    try:
        kind = complex if complex in (type(got), type(expected)) else float
        got, expected = kind(got), kind(expected)
        difference, size = abs(got - expected), abs(expected)
    except (OverflowError, ValueError):
        return False
    if not _isfinite(difference) or not _isfinite(size):
        return False
    return difference <= tolerance * max(1.0, size)


def _close(got, expected, tolerance):
    kind = type(got)
    if kind is type(expected) and kind in (list, tuple):
        return len(got) == len(expected) and all(
            [_close(one, other, tolerance) for one, other in zip(got, expected)]
        )
    if kind is type(expected) is dict:
        return len(got) == len(expected) and all(
            [key in got and _close(got[key], value, tolerance) for key, value in expected.items()]
        )
    if got == expected:
        return True
    inexact = kind in (float, complex) or type(expected) in (float, complex)
    return inexact and _is_number(got) and _is_number(expected) and _within(got, expected, tolerance)


def _token_number(token):
    try:
        return None if "_" in token else float(token)
    except ValueError:
        return None


def _tokens_close(got, expected, tolerance):
    if got == expected:
        return True
    if tolerance is None:
        return False
    one, other = _token_number(got), _token_number(expected)
    return one is not None and other is not None and _within(one, other, tolerance)


# ---- showing -------------------------------------------------------------------------------


def _json_holds(value):
    kind = type(value)
    if kind is float:
        return _isfinite(value)
    if kind in (list, tuple):
        return all([_json_holds(part) for part in value])
    if kind is dict:
        return all([type(key) is str and key == _without_surrogates(key) for key in value]) and all(
            [_json_holds(part) for part in value.values()]
        )
    return kind in _ATOMS


def _without_surrogates(text):
    try:
        text.encode()
    except UnicodeEncodeError:
        return "".join(["\ufffd" if "\ud800" <= one <= "\udfff" else one for one in text])
    return text


def _clean(value):
    kind = type(value)
    if kind is str:
        return _without_surrogates(value)
    if kind in (list, tuple):
        return [_clean(part) for part in value]
    if kind is dict:
        return {key: _clean(part) for key, part in value.items()}
    return value


def show_text(text, limit):
    """A JSON string of at most `limit` characters."""
    text = _without_surrogates(text)
    quoted = _quote(text[:limit])
    if len(text) <= limit and len(quoted) <= limit:
        return quoted
    text = text[:limit]
    while True:
        quoted = _quote(text + "\u2026")
        if len(quoted) <= limit or not text:
            return quoted
        text = text[: len(text) * 7 // 8]


def show_repr(value, limit):
    try:
        text = repr(value)
    except Exception:  # an int of too many digits
        text = "<%s too long to show>" % type(value).__name__
    return show_text(text, limit)


def show_value(value, limit):
    """JSON where that can hold the value, else its repr as a JSON string."""
    try:
        if _json_holds(value):
            text = _encoder.encode(_clean(value))
            if len(text) <= limit:
                return text
    except ValueError:
        pass
    return show_repr(value, limit)


_encoder = json.JSONEncoder(allow_nan=False, check_circular=False)


# ---- the comparison ------------------------------------------------------------------------
# What was got and what was expected are each (value, None), or (None, text) if there is
# no data: the text is then what is shown of it.


def _read_got(case):
    if "data" in case:
        try:
            return decode(case["data"]), None
        except Exception:
            raise Unusable("the result was not understood") from None
    if "repr" in case:
        return None, case["repr"]
    raise Unusable("there is no result")


def _read_expected(case):
    if "expected_data" in case:
        try:
            return decode(case["expected_data"]), None
        except Exception:
            raise Unusable("the expected output was not understood") from None
    if "output" not in case:
        raise Unusable("there is no expected output")
    try:
        return _expected_value(case["output"]), None
    except NeedsNames as error:
        if "equal" not in case:
            raise Unusable("the expected output cannot be evaluated: %s" % error) from None
        return None, case["output"]


def _agree(got, expected, case):
    if got[1] is None and expected[1] is None:
        tolerance = _tolerance(case)
        if tolerance is None:
            return bool(got[0] == expected[0])
        return _close(got[0], expected[0], tolerance)
    # The program's own == decides only where nothing else could: an output that is
    # evaluated without its names is never compared by it.
    by_names = "expected_data" in case or expected[1] is not None
    return by_names and case.get("equal") == 1


def _show(side, limit, show):
    return show_text(side[1], limit) if side[1] is not None else show(side[0], limit)


def _compare_values(case, limit, result):
    sides = []
    for name, read in (("got", _read_got), ("expected", _read_expected)):
        try:
            sides.append(read(case))
            result[name] = _show(sides[-1], limit, show_value)
        except Unusable as error:
            result.setdefault("message", str(error))
    if len(sides) < 2:
        return False
    passed = _agree(sides[0], sides[1], case)
    if not passed and result["got"] == result["expected"]:
        result["got"] = _show(sides[0], limit, show_repr)
        result["expected"] = _show(sides[1], limit, show_repr)
    return passed


def _compare_output(case, limit, result):
    expected = case["stdout"].decode("utf-8", "replace")
    result["expected"] = show_text(expected, limit)
    if "content" not in case:
        raise Unusable("there is no output")
    got = case["content"].decode("utf-8", "replace")
    result["got"] = show_text(got, limit)
    tolerance = _tolerance(case)
    got, expected = got.split(), expected.split()
    return len(got) == len(expected) and all(
        [_tokens_close(one, other, tolerance) for one, other in zip(got, expected)]
    )


def compare_case(case, limit=TEXT_MAX):
    """The case's result. Passed only where the comparison came to its end and says so."""
    _set_digits(DIGITS_MAX)
    result = {key: case[key] for key in ("index", "message") if key in case}
    passed = False
    try:
        compare = _compare_output if "stdout" in case else _compare_values
        passed = compare(case, limit, result) is True
    except Unusable as error:
        result["message"] = str(error)
    except Exception as error:
        result["message"] = "could not be compared: " + _say(error)
    result["passed"] = 1 if passed else 0
    return result


def warm():
    """Run what every case runs, in the zygote: specialised code is then shared by all forks."""
    digits = _get_digits()
    for round in range(32):
        for text in ("", "a=1, b='x'", "[1, 2.5]"):
            parse_input(text)
        compile_expression("f", "<entry point>")
        fit_input(fit_input, ((), {"function": None, "arguments": None, "x": 1}))
        for value in (1, "x", [1, 2], [1.5], (1, None), {"a": 1}, {1}, object()):
            data = describe(value)[0]
            case = {"index": 1, "data": (data or "").encode(), "output": repr(value), "input": "a=1"}
            prepare_case(case)
            compare_case(case)
    _set_digits(digits)
