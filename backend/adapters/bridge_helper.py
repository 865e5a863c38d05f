"""What the bridge runs on the other side, beside its MetaTrader5 module.

The text below is sent to an RPyC classic server under Wine or in a container, often an old Python with an
old NumPy, so it is plain and stands alone. One call in and one answer out, both as data: no argument
ever becomes code, and nothing of theirs is unpickled here.
"""

HELPER = """
import json
import MetaTrader5 as _mt5ui_module

class _Mt5uiOpaque(object):
    pass

def _mt5ui_decode(value):
    if isinstance(value, list):
        return [_mt5ui_decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    kind = value.get("$")
    if kind is None:
        return dict((key, _mt5ui_decode(item)) for key, item in value.items())
    if kind == "datetime":
        return value["epoch"]
    if kind == "tuple":
        return tuple(_mt5ui_decode(item) for item in value["items"])
    if kind == "dict":
        return dict((_mt5ui_decode(key), _mt5ui_decode(item)) for key, item in value["items"])
    if kind == "numpy":
        import numpy
        return numpy.dtype(value["dtype"]).type(value["value"])
    return _Mt5uiOpaque()

def _mt5ui_encode(value):
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if hasattr(value, "_asdict"):
        fields = dict((name, _mt5ui_encode(item)) for name, item in value._asdict().items())
        return {"$": "struct", "type": type(value).__name__, "fields": fields}
    if isinstance(value, tuple):
        return {"$": "tuple", "items": [_mt5ui_encode(item) for item in value]}
    if isinstance(value, list):
        return [_mt5ui_encode(item) for item in value]
    if isinstance(value, dict):
        return {"$": "dict", "items": [[_mt5ui_encode(k), _mt5ui_encode(v)] for k, v in value.items()]}
    if hasattr(value, "item"):
        return _mt5ui_encode(value.item())
    return str(value)

def _mt5ui_call(function, arguments):
    call = json.loads(arguments)
    args = [_mt5ui_decode(arg) for arg in call.get("args", [])]
    kwargs = _mt5ui_decode(call.get("kwargs", {}))
    answer, raw = {}, b""
    try:
        result = getattr(_mt5ui_module, function)(*args, **kwargs)
        if hasattr(result, "dtype") and getattr(result.dtype, "names", None):
            answer["array"] = list(result.dtype.names)
            answer["itemsize"] = result.dtype.itemsize
            raw = result.tobytes()
        else:
            answer["result"] = _mt5ui_encode(result)
    except Exception as error:
        answer["raised"] = {"type": type(error).__name__, "message": str(error)}
    answer["last_error"] = list(_mt5ui_module.last_error())
    return json.dumps(answer), raw
"""
