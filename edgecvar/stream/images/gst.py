"""GStreamer by its C interface: pipelines that take bytes and give pictures.

Nothing but this file calls it. ctypes lets go of the interpreter lock in every call, and none waits longer than it is
told to but those that change a pipeline's state: a driver may hang in them, so a thread of its own is to make them.
"""

from __future__ import annotations

import ctypes
import time
from ctypes import POINTER, byref, c_char_p, c_int, c_size_t, c_uint, c_uint32, c_uint64, c_void_p
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from edgecvar.errors import DeviceError, StreamError, reason

_POLL_SECONDS = 0.05
_NULL, _PLAYING, _FAILED = 1, 4, 0
"""GstState, and GST_STATE_CHANGE_FAILURE."""
_ERROR = 1 << 1
"""GST_MESSAGE_ERROR."""
_READ = 1
"""GST_MAP_READ."""
_MOST_PLANES = 4
_STEP_NANOSECONDS = 40_000_000
"""Between the times of pictures, by which one that comes late is known."""


class _GError(ctypes.Structure):
    _fields_ = [("domain", c_uint32), ("code", c_int), ("message", c_char_p)]


class _MapInfo(ctypes.Structure):
    _fields_ = [
        ("memory", c_void_p),
        ("flags", c_int),
        ("data", c_void_p),
        ("size", c_size_t),
        ("maxsize", c_size_t),
        ("user_data", c_void_p * 4),
        ("reserved", c_void_p * 4),
    ]


class _Buffer(ctypes.Structure):
    _fields_ = [
        ("type", c_size_t),
        ("refcount", c_int),
        ("lockstate", c_int),
        ("flags", c_uint),
        ("functions", c_void_p * 3),
        ("priv_uint", c_uint),
        ("priv_pointer", c_void_p),
        ("pool", c_void_p),
        ("pts", c_uint64),
    ]


class _VideoMeta(ctypes.Structure):
    _fields_ = [
        ("meta_flags", c_int),
        ("meta_info", c_void_p),
        ("buffer", c_void_p),
        ("flags", c_int),
        ("format", c_int),
        ("id", c_int),
        ("width", c_uint),
        ("height", c_uint),
        ("n_planes", c_uint),
        ("offset", c_size_t * _MOST_PLANES),
        ("stride", c_int * _MOST_PLANES),
    ]


_ERRORS = POINTER(POINTER(_GError))
_Signature = Tuple[Any, Sequence[Any]]
_FUNCTIONS: Dict[str, Dict[str, _Signature]] = {
    "libgstreamer-1.0.so.0": {
        "gst_init_check": (c_int, (c_void_p, c_void_p, _ERRORS)),
        "gst_element_factory_find": (c_void_p, (c_char_p,)),
        "gst_parse_launch": (c_void_p, (c_char_p, _ERRORS)),
        "gst_bin_get_by_name": (c_void_p, (c_void_p, c_char_p)),
        "gst_element_get_bus": (c_void_p, (c_void_p,)),
        "gst_element_set_state": (c_int, (c_void_p, c_int)),
        "gst_bus_pop_filtered": (c_void_p, (c_void_p, c_int)),
        "gst_message_parse_error": (None, (c_void_p, _ERRORS, POINTER(c_void_p))),
        "gst_util_set_object_arg": (None, (c_void_p, c_char_p, c_char_p)),
        "gst_buffer_new_allocate": (c_void_p, (c_void_p, c_size_t, c_void_p)),
        "gst_buffer_fill": (c_size_t, (c_void_p, c_size_t, c_char_p, c_size_t)),
        "gst_buffer_map": (c_int, (c_void_p, POINTER(_MapInfo), c_int)),
        "gst_buffer_unmap": (None, (c_void_p, POINTER(_MapInfo))),
        "gst_buffer_get_meta": (c_void_p, (c_void_p, c_size_t)),
        "gst_sample_get_buffer": (c_void_p, (c_void_p,)),
        "gst_sample_get_caps": (c_void_p, (c_void_p,)),
        "gst_caps_get_structure": (c_void_p, (c_void_p, c_uint)),
        "gst_structure_get_int": (c_int, (c_void_p, c_char_p, POINTER(c_int))),
        "gst_structure_get_string": (c_char_p, (c_void_p, c_char_p)),
        "gst_object_unref": (None, (c_void_p,)),
        "gst_mini_object_unref": (None, (c_void_p,)),
    },
    "libgstapp-1.0.so.0": {
        "gst_app_src_push_buffer": (c_int, (c_void_p, c_void_p)),
        "gst_app_sink_try_pull_sample": (c_void_p, (c_void_p, c_uint64)),
        "gst_app_sink_is_eos": (c_int, (c_void_p,)),
    },
    "libgobject-2.0.so.0": {
        "g_object_class_find_property": (c_void_p, (c_void_p, c_char_p)),
        "g_type_from_name": (c_size_t, (c_char_p,)),
    },
    "libglib-2.0.so.0": {"g_error_free": (None, (POINTER(_GError),)), "g_free": (None, (c_void_p,))},
}


class _Library:
    """The functions by their names; raises OSError or AttributeError where one is not here."""

    def __init__(self) -> None:
        for file, functions in _FUNCTIONS.items():
            handle = ctypes.CDLL(file)
            for name, (result, arguments) in functions.items():
                function = getattr(handle, name)
                function.restype, function.argtypes = result, list(arguments)
                setattr(self, name, function)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)

    def told(self, error: Any) -> str:
        """What an error says, which is freed."""
        if not error:
            return ""
        text = error.contents.message or b""
        self.g_error_free(error)
        return " ".join(text.decode(errors="replace").split())[:200]


@lru_cache(maxsize=1)
def _loaded() -> Tuple[Optional[_Library], str]:
    """The library, begun; None and why where there is none: it is looked for once a process."""
    try:
        library = _Library()
    except (OSError, AttributeError) as error:
        return None, f"GStreamer cannot be loaded ({reason(error)}); gstreamer1.0-plugins-bad and -libav have it"
    refusal = POINTER(_GError)()
    if not library.gst_init_check(None, None, byref(refusal)):
        return None, f"GStreamer cannot start ({library.told(refusal) or 'it does not say why'})"
    return library, ""


def _library() -> _Library:
    library, why = _loaded()
    if library is None:
        raise DeviceError(why)
    return library


def missing_elements(names: Sequence[str]) -> List[str]:
    """Those that GStreamer has no plugin for; raises DeviceError where there is no GStreamer."""
    library, missing = _library(), []
    for name in names:
        factory = library.gst_element_factory_find(name.encode())
        if factory:
            library.gst_object_unref(factory)
        else:
            missing.append(name)
    return missing


@dataclass(frozen=True)
class RawPicture:
    """A picture of system memory in `form` ("I420" or "NV12"): bytes, and where its planes lie and how far rows are."""

    form: str
    width: int
    height: int
    data: bytes
    offsets: Tuple[int, ...]
    strides: Tuple[int, ...]


class Pipeline:
    """A pipeline under way, from an appsrc called `source` to an appsink called `sink`; one thread uses it.

    `properties` are set on the element called `decoder`, those of them that it has. Raises DeviceError.
    """

    def __init__(self, description: str, properties: Mapping[str, str]) -> None:
        self._library = library = _library()
        self._owned: List[int] = []
        self._time = 0
        self._bus: Optional[int] = None
        error = POINTER(_GError)()
        self._pipeline: Optional[int] = library.gst_parse_launch(description.encode(), byref(error))
        try:
            told = library.told(error)
            if told or not self._pipeline:
                raise DeviceError(f"its pipeline cannot be made ({told})")
            self._bus = self._own(library.gst_element_get_bus(self._pipeline))
            self._source, self._sink, decoder = (self._named(name) for name in (b"source", b"sink", b"decoder"))
            for name, value in properties.items():
                self._set(decoder, name, value)
            if library.gst_element_set_state(self._pipeline, _PLAYING) == _FAILED:
                raise DeviceError(f"it does not start ({self._error()})")
        except BaseException:
            self.close()
            raise

    def _own(self, reference: Optional[int]) -> int:
        if not reference:
            raise DeviceError("its pipeline lacks a part")
        self._owned.append(reference)
        return reference

    def _named(self, name: bytes) -> int:
        return self._own(self._library.gst_bin_get_by_name(self._pipeline, name))

    def _set(self, element: int, name: str, value: str) -> None:
        kind = c_void_p.from_address(element).value  # GTypeInstance begins with its class
        if self._library.g_object_class_find_property(kind, name.encode()):
            self._library.gst_util_set_object_arg(element, name.encode(), value.encode())

    def _error(self) -> str:
        """What the pipeline says that ended it, empty where nothing did; all other messages are let go of."""
        library = self._library
        message = library.gst_bus_pop_filtered(self._bus, _ERROR)
        if not message:
            return "it ended" if library.gst_app_sink_is_eos(self._sink) else ""
        error, detail = POINTER(_GError)(), c_void_p()
        library.gst_message_parse_error(message, byref(error), byref(detail))
        library.gst_mini_object_unref(message)
        library.g_free(detail)
        return library.told(error) or "it does not say why"

    def push(self, data: bytes) -> None:
        """Hands bytes in; raises StreamError where the pipeline has ended."""
        library = self._library
        buffer = library.gst_buffer_new_allocate(None, len(data), None)
        if not buffer:
            raise StreamError("no memory for a picture")
        library.gst_buffer_fill(buffer, 0, data, len(data))
        self._time += _STEP_NANOSECONDS
        _Buffer.from_address(buffer).pts = self._time
        if library.gst_app_src_push_buffer(self._source, buffer) != 0:  # which has taken it in any case
            raise StreamError(self._error() or "it takes no more pictures")

    def pull(self, seconds: float) -> RawPicture:
        """The picture of what was pushed last, earlier ones are let go of.

        Raises StreamError where it does not come in time, or the pipeline has ended.
        """
        until = time.monotonic() + seconds
        while True:
            left = until - time.monotonic()
            wait = int(max(0.0, min(left, _POLL_SECONDS)) * 1e9)
            sample = self._library.gst_app_sink_try_pull_sample(self._sink, wait)
            error = self._error()  # asked each time: messages would pile up
            if sample:
                try:
                    buffer = self._library.gst_sample_get_buffer(sample)
                    if buffer and _Buffer.from_address(buffer).pts >= self._time:  # the greatest where there is none
                        return self._picture(sample, buffer)
                finally:
                    self._library.gst_mini_object_unref(sample)
            elif error:
                raise StreamError(error)
            if left <= 0:
                raise StreamError(f"no picture within {seconds:g} s")

    def _picture(self, sample: int, buffer: int) -> RawPicture:
        library = self._library
        caps = library.gst_sample_get_caps(sample)
        if not caps:
            raise StreamError("it gives a picture that says nothing of itself")
        structure = library.gst_caps_get_structure(caps, 0)
        width, height = c_int(), c_int()
        library.gst_structure_get_int(structure, b"width", byref(width))
        library.gst_structure_get_int(structure, b"height", byref(height))
        form = (library.gst_structure_get_string(structure, b"format") or b"").decode(errors="replace")
        offsets, strides = self._layout(buffer, width.value, height.value, form)
        info = _MapInfo()
        if not library.gst_buffer_map(buffer, byref(info), _READ):
            raise StreamError("its picture cannot be read")
        try:
            data = ctypes.string_at(info.data, info.size) if info.data else b""
        finally:
            library.gst_buffer_unmap(buffer, byref(info))
        return RawPicture(form, width.value, height.value, data, offsets, strides)

    def _layout(self, buffer: int, width: int, height: int, form: str) -> Tuple[Tuple[int, ...], Tuple[int, ...]]:
        """Offsets and strides of the planes, as the buffer says; else those that GStreamer has for this size."""
        kind = self._library.g_type_from_name(b"GstVideoMetaAPI")
        address = self._library.gst_buffer_get_meta(buffer, kind) if kind else None
        if address:
            meta = _VideoMeta.from_address(address)
            count = min(int(meta.n_planes), _MOST_PLANES)
            return tuple(meta.offset[:count]), tuple(meta.stride[:count])
        stride, rows = -(-width // 4) * 4, -(-height // 2) * 2
        if form == "NV12":
            return (0, stride * rows), (stride, stride)
        half = ((width + 1) // 2 + 3) // 4 * 4
        return (0, stride * rows, stride * rows + half * rows // 2), (stride, half, half)

    def close(self) -> None:
        """Ends it and lets go of all of it."""
        library, pipeline, self._pipeline = self._library, self._pipeline, None
        if pipeline:
            library.gst_element_set_state(pipeline, _NULL)
        owned, self._owned = self._owned, []
        for reference in owned:
            library.gst_object_unref(reference)
        if pipeline:
            library.gst_object_unref(pipeline)
