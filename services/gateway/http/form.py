"""A multipart form whose audio part is handed on as it arrives, never held or spooled.

Starlette's own form parser writes each file to a temporary one first; a recording would then be
written twice, and its size known only at the end. So python-multipart's parser is driven here.
"""

from collections.abc import AsyncIterable, AsyncIterator

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from callscope.errors import InvalidInput

__all__ = ["Form"]

_AUDIO = "audio"
_MAX_FIELDS = 16
_MAX_FIELD = 300 << 10  # bytes; a rubric's YAML is the largest


class Form:
    """One form in transit.

    Attributes:
        fields: the texts besides the audio, complete once `audio` is exhausted.
        file_name: of the part `audio`, if it has one, as soon as its bytes come.

    Raises:
        InvalidInput: the header names no boundary.
    """

    def __init__(self, content_type: str) -> None:
        _, parameters = parse_options_header(content_type)
        boundary = parameters.get(b"boundary")
        if not boundary:
            raise InvalidInput("the form's Content-Type names no boundary")
        self.fields: dict[str, str] = {}
        self.file_name: str | None = None
        self._part = _Part()
        self._seen: set[str] = set()
        self._audio: list[bytes] = []
        self._ended = False
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin,
                    "on_header_field": self._header_name,
                    "on_header_value": self._header_value,
                    "on_header_end": self._header_end,
                    "on_headers_finished": self._headers_finished,
                    "on_part_data": self._data,
                    "on_part_end": self._part_end,
                    "on_end": self._end,
                },
            )
        except FormParserError as error:
            raise InvalidInput(f"the form cannot be read: {error}") from None

    async def audio(self, body: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
        """The bytes of the part `audio`, as they come; the whole body is read.

        Raises:
            InvalidInput: the form is damaged, breaks off, or is not as it should be.
        """
        async for chunk in body:
            try:
                self._parser.write(chunk)
            except FormParserError as error:
                raise InvalidInput(f"the form cannot be read: {error}") from None
            for block in self._audio:
                yield block
            self._audio.clear()
        if not self._ended:
            raise InvalidInput("the form breaks off before its end")
        if _AUDIO not in self._seen:
            raise _no_audio("the form has no part named audio")

    def _begin(self) -> None:
        self._part = _Part()

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._part.header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._part.value += data[start:end]

    def _header_end(self) -> None:
        if self._part.header.lower() == b"content-disposition":
            _, parameters = parse_options_header(bytes(self._part.value))
            self._part.name = _name(parameters.get(b"name", b""))
            if name := parameters.get(b"filename"):
                self._part.is_file = True
                if self._part.name == _AUDIO:
                    self.file_name = name.decode(errors="replace")
        self._part.header.clear()
        self._part.value.clear()

    def _headers_finished(self) -> None:
        name = self._part.name
        if not name:
            raise InvalidInput("a part of the form has no name")
        if name in self._seen:
            raise InvalidInput(f"the form has more than one part named {name[:64]}")
        if len(self._seen) >= _MAX_FIELDS:
            raise InvalidInput(f"the form has more than {_MAX_FIELDS} parts")
        self._seen.add(name)

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._part.name == _AUDIO:
            self._audio.append(data[start:end])
            return
        self._part.content += data[start:end]
        if len(self._part.content) > _MAX_FIELD:
            raise self._no_field(f"more than {_MAX_FIELD} bytes")

    def _part_end(self) -> None:
        if self._part.name != _AUDIO:
            try:
                self.fields[self._part.name] = self._part.content.decode()
            except UnicodeDecodeError:
                raise self._no_field("not UTF-8 text") from None

    def _no_field(self, reason: str) -> InvalidInput:
        """What is wrong with the part, which may well be the recording under another name."""
        name = self._part.name[:64]
        if self._part.is_file and _AUDIO not in self._seen:
            return _no_audio(f"the form has no part named audio; its file is in the part {name}")
        return InvalidInput(f"{name}: {reason}")

    def _end(self) -> None:
        self._ended = True


class _Part:
    """The part being read."""

    def __init__(self) -> None:
        self.name = ""
        self.is_file = False
        self.header = bytearray()
        self.value = bytearray()
        self.content = bytearray()


def _no_audio(message: str) -> InvalidInput:
    return InvalidInput(message, remedy="curl -F audio=@call.wav http://localhost:8080/v1/calls")


def _name(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise InvalidInput("part name: not UTF-8 text") from None
