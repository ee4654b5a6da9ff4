# judge_data.py - values as text and back, for judging.
#
# Runs in a private namespace (python_judge.c): no module of sys.modules, and with a
# copy of the builtins, so that a program that patches len or isinstance for itself
# changes nothing here. judge.py, which follows in the same namespace, uses it.
#
# Data is what can be written exactly: None, bool, int, float, complex, str, bytes,
# bytearray, list, tuple, set, frozenset, dict, range, Fraction, Decimal, and numpy's
# numbers and arrays as Python's. Instances of subclasses count as their base and are
# read by the base's own methods: what they override is not asked.
#
# The text is ASCII JSON. What JSON holds exactly is itself; the rest is an object
# with one member, whose name is the type:
#   t tuple [..]          d dict [[k, v]..]     s set [..]        z frozenset [..]
#   i int "0x.."          f float "nan"         c complex [re, im]
#   b bytes "hex"         a bytearray "hex"     u str "hex of UTF-32" (has surrogates)
#   r range [3 ints]      q Fraction [2 ints]   m Decimal "text"

import json
import sys
from _json import encode_basestring_ascii as _quote
from math import isfinite as _isfinite

DATA_MAX = 1 << 20  # characters of text
DEPTH_MAX = 200
RATIO_BITS_MAX = 1 << 16  # what Fractions may have: their reduction is not linear
DECIMAL_MAX = 20000  # characters
PLAIN_INT = 2**63  # below, an int is written as itself
RECURSION = 5000  # the frames that DEPTH_MAX levels need, and plenty

_modules = sys.modules
_get_recursion, _set_recursion = sys.getrecursionlimit, sys.setrecursionlimit
_mro = type.__dict__["__mro__"].__get__
_real, _imag = complex.real.__get__, complex.imag.__get__


class NotData(Exception):
    pass


class TooLarge(Exception):
    pass


# ---- writing ---------------------------------------------------------------------------
# Each writer gets the value, a list of one number (how many characters may still come)
# and the set of the ids of the containers around it.


def _spend(budget, characters):
    budget[0] -= characters
    if budget[0] < 0:
        raise TooLarge


def _write_none(value, budget, around):
    return "null"


def _write_bool(value, budget, around):
    return "true" if value is True else "false"


def _write_int(value, budget, around):
    value = int.__index__(value)
    if -PLAIN_INT < value < PLAIN_INT:
        return int.__repr__(value)
    _spend(budget, value.bit_length() // 4)
    return '{"i":"%s"}' % hex(value)  # linear, and free of the limit on digits


def _write_float(value, budget, around):
    value = float.__float__(value)
    text = float.__repr__(value)
    return text if _isfinite(value) else '{"f":"%s"}' % text


def _write_complex(value, budget, around):
    return '{"c":[%s,%s]}' % (
        _write_float(_real(value), budget, around),
        _write_float(_imag(value), budget, around),
    )


def _write_str(value, budget, around):
    value = str.__str__(value)
    _spend(budget, len(value))
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:  # two halves side by side would come back as one character
            return '{"u":"%s"}' % value.encode("utf-32-le", "surrogatepass").hex()
    return _quote(value)


def _write_bytes(value, budget, around):
    _spend(budget, 2 * bytes.__len__(value))
    return '{"b":"%s"}' % bytes.hex(value)


def _write_bytearray(value, budget, around):
    _spend(budget, 2 * bytearray.__len__(value))
    return '{"a":"%s"}' % bytearray.hex(value)


def _write_range(value, budget, around):
    parts = [_write_int(part, budget, around) for part in (value.start, value.stop, value.step)]
    return '{"r":[%s]}' % ",".join(parts)


def _enter(value, around):
    if id(value) in around or len(around) >= DEPTH_MAX:
        raise NotData
    around.add(id(value))


def _write_elements(items, budget, around):
    _spend(budget, 2 * len(items) + 2)  # so that shared parts cannot multiply without end
    kinds = set(map(type, items))
    if kinds == _ONLY_INT and -PLAIN_INT < min(items) and max(items) < PLAIN_INT:
        return list.__repr__(items)[1:-1].replace(" ", "")
    if kinds == _ONLY_FLOAT and all(map(_isfinite, items)):
        return list.__repr__(items)[1:-1].replace(" ", "")
    return ",".join([_write(item, budget, around) for item in items])


def _write_items(form, value, items, budget, around):
    _enter(value, around)
    text = form % _write_elements(items, budget, around)
    around.discard(id(value))
    return text


def _write_list(value, budget, around):
    return _write_items("[%s]", value, list.copy(value), budget, around)


def _write_tuple(value, budget, around):
    return _write_items('{"t":[%s]}', value, list(tuple.__iter__(value)), budget, around)


def _write_set(value, budget, around):
    return _write_items('{"s":[%s]}', value, list(set.__iter__(value)), budget, around)


def _write_frozenset(value, budget, around):
    return _write_items('{"z":[%s]}', value, list(frozenset.__iter__(value)), budget, around)


def _write_dict(value, budget, around):
    _enter(value, around)
    items = list(dict.items(value))
    _spend(budget, 6 * len(items) + 2)
    text = ",".join(
        [
            "[%s,%s]" % (_write(key, budget, around), _write(item, budget, around))
            for key, item in items
        ]
    )
    around.discard(id(value))
    return '{"d":[%s]}' % text


_WRITERS = {
    id(kind): write
    for kind, write in (
        (type(None), _write_none),
        (bool, _write_bool),
        (int, _write_int),
        (float, _write_float),
        (complex, _write_complex),
        (str, _write_str),
        (bytes, _write_bytes),
        (bytearray, _write_bytearray),
        (range, _write_range),
        (list, _write_list),
        (tuple, _write_tuple),
        (set, _write_set),
        (frozenset, _write_frozenset),
        (dict, _write_dict),
    )
}
_ONLY_INT, _ONLY_FLOAT = {int}, {float}


def _write(value, budget, around):
    kind = type(value)
    write = _WRITERS.get(id(kind))
    if write is None:
        write = _find_writer(kind)
    return write(value, budget, around)


def _find_writer(kind):
    """By identity: a class's class may lie in == and hash."""
    for base in _mro(kind):
        write = _WRITERS.get(id(base))
        if write is not None:
            return write
        for module, name, other in _LIBRARY_WRITERS:
            if module in _modules and base is getattr(_modules[module], name, None):
                return other
    module = type.__getattribute__(kind, "__module__")
    if type(module) is str and (module == "numpy" or module.startswith("numpy.")):
        return _write_numpy
    raise NotData


def _write_fraction(value, budget, around):
    above, below = int.__index__(value._numerator), int.__index__(value._denominator)
    if max(above.bit_length(), below.bit_length()) > RATIO_BITS_MAX:
        raise NotData
    return '{"q":["%s","%s"]}' % (hex(above), hex(below))


def _write_decimal(value, budget, around):
    text = _modules["decimal"].Decimal.__str__(value)
    if len(text) > DECIMAL_MAX:
        raise NotData
    return '{"m":%s}' % _quote(text)


def _write_numpy(value, budget, around):
    if value.size > DATA_MAX:
        raise TooLarge
    plain = value.tolist()
    if type(plain) is type(value):  # a number wider than any of Python's
        raise NotData
    _enter(value, around)
    text = _write(plain, budget, around)
    around.discard(id(value))
    return text


# Known by the module that has been loaded: nothing is imported for them.
_LIBRARY_WRITERS = (
    ("fractions", "Fraction", _write_fraction),
    ("decimal", "Decimal", _write_decimal),
)


def encode(value):
    """The text, or NotData, or TooLarge; or whatever the value's parts raise."""
    limit = _get_recursion()
    if limit < RECURSION:
        _set_recursion(RECURSION)
    try:
        text = _write(value, [DATA_MAX], set())
    finally:
        if limit < RECURSION:
            _set_recursion(limit)
    if len(text) > DATA_MAX:
        raise TooLarge
    return text


# ---- reading -----------------------------------------------------------------------------
# The text is hostile: a program can write its own report. Whatever is not as above
# raises something; the caller catches everything.


class Malformed(Exception):
    pass


_ATOMS = frozenset((type(None), bool, int, float, str))


def _expect(kind, node, count=None):
    if type(node) is not kind or count is not None and len(node) != count:
        raise Malformed
    return node


def _read_elements(node, depth):
    if depth >= DEPTH_MAX:
        raise Malformed
    if _ATOMS.issuperset(map(type, _expect(list, node))):
        return node
    return [_read(part, depth + 1) for part in node]


def _read_dict(node, depth):
    if depth >= DEPTH_MAX:
        raise Malformed
    result = {}
    for pair in _expect(list, node):
        key, value = _expect(list, pair, 2)
        result[_read(key, depth + 1)] = _read(value, depth + 1)
    return result


def _read_hex_int(node, depth):
    return int(_expect(str, node), 16)


def _read_special(node, depth):
    if node not in ("nan", "inf", "-inf"):
        raise Malformed
    return float(node)


def _read_complex(node, depth):
    real, imag = [_read(part, DEPTH_MAX) for part in _expect(list, node, 2)]
    return complex(_expect(float, real), _expect(float, imag))


def _read_surrogates(node, depth):
    return bytes.fromhex(_expect(str, node)).decode("utf-32-le", "surrogatepass")


def _read_range(node, depth):
    return range(*[_expect(int, _read(part, DEPTH_MAX)) for part in _expect(list, node, 3)])


def _read_fraction(node, depth):
    from fractions import Fraction

    above, below = [_read_hex_int(part, depth) for part in _expect(list, node, 2)]
    if max(above.bit_length(), below.bit_length()) > RATIO_BITS_MAX:
        raise Malformed
    return Fraction(above, below)


def _read_decimal(node, depth):
    from decimal import Decimal

    if len(_expect(str, node)) > DECIMAL_MAX:
        raise Malformed
    return Decimal(node)


_READERS = {
    "t": lambda node, depth: tuple(_read_elements(node, depth)),
    "s": lambda node, depth: set(_read_elements(node, depth)),
    "z": lambda node, depth: frozenset(_read_elements(node, depth)),
    "d": _read_dict,
    "i": _read_hex_int,
    "f": _read_special,
    "c": _read_complex,
    "b": lambda node, depth: bytes.fromhex(_expect(str, node)),
    "a": lambda node, depth: bytearray.fromhex(_expect(str, node)),
    "u": _read_surrogates,
    "r": _read_range,
    "q": _read_fraction,
    "m": _read_decimal,
}


def _read(node, depth):
    kind = type(node)
    if kind is list:
        return _read_elements(node, depth)
    if kind is not dict:
        return node
    ((tag, body),) = node.items()
    return _READERS[tag](body, depth)


def _refuse_constant(name):
    raise Malformed


_decoder = json.JSONDecoder(parse_constant=_refuse_constant)


def decode(data):
    """The value of encode()'s text in bytes. Only in an interpreter that never ran the program."""
    if len(data) > DATA_MAX:
        raise Malformed
    return _read(_decoder.decode(data.decode("ascii")), 0)
