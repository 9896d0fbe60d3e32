"""Every error Callscope reports, and how each looks from every door.

A class knows its stable `code`, its gRPC status, its HTTP status and the command line's exit
status; an instance adds the problem (`message`), what to do about it (`remedy`) and, where it
helps, `details`. The gateway's REST API, the gRPC services and the command line all read these
same attributes, so one problem has one name everywhere.

    CallscopeError                  INTERNAL            500
    ├── InvalidInput                INVALID_ARGUMENT    400
    │   ├── InvalidAudio            INVALID_ARGUMENT    422
    │   │   ├── EmptyAudio
    │   │   ├── UndecodableAudio    (INVALID_ARGUMENT   415)
    │   │   ├── NoAudioStream
    │   │   └── UnsupportedAudio    channels, sample rate
    │   ├── AudioTooLarge           INVALID_ARGUMENT    413
    │   ├── AudioTooLong            INVALID_ARGUMENT    413
    │   ├── UnknownChannel
    │   ├── UnknownModel
    │   ├── InvalidSetting
    │   └── InvalidRubric           INVALID_ARGUMENT    422
    ├── Unauthenticated             UNAUTHENTICATED     401
    ├── Forbidden                   PERMISSION_DENIED   403
    │   └── ForbiddenUri
    ├── NotFound                    NOT_FOUND           404
    │   ├── AudioNotFound
    │   ├── CallNotFound
    │   ├── KeyNotFound
    │   └── RubricNotFound
    ├── Conflict                    ALREADY_EXISTS      409
    ├── NotReady                    FAILED_PRECONDITION 409
    ├── ModelMissing                FAILED_PRECONDITION 503
    ├── ModelDamaged                FAILED_PRECONDITION 503
    ├── Overloaded                  RESOURCE_EXHAUSTED  429
    │   └── RateLimited
    ├── Unavailable                 UNAVAILABLE         503
    ├── DeadlineExceeded            DEADLINE_EXCEEDED   504
    └── Cancelled                   CANCELLED           499
"""

from collections.abc import Iterator, Mapping
from typing import ClassVar

from grpc import StatusCode

__all__ = [
    "AudioNotFound",
    "AudioTooLarge",
    "AudioTooLong",
    "CallNotFound",
    "CallscopeError",
    "Cancelled",
    "Conflict",
    "DeadlineExceeded",
    "EmptyAudio",
    "Forbidden",
    "ForbiddenUri",
    "InvalidAudio",
    "InvalidInput",
    "InvalidRubric",
    "InvalidSetting",
    "KeyNotFound",
    "ModelDamaged",
    "ModelMissing",
    "NoAudioStream",
    "NotFound",
    "NotReady",
    "Overloaded",
    "RateLimited",
    "RubricNotFound",
    "Unauthenticated",
    "Unavailable",
    "UndecodableAudio",
    "UnknownChannel",
    "UnknownModel",
    "UnsupportedAudio",
    "error_classes",
]

EXIT_BAD_INPUT = 3
EXIT_SERVICE_FAILED = 4


class CallscopeError(Exception):
    """An error with a name, a reason and a remedy.

    Args:
        message: what is wrong, naming the thing it is about.
        remedy: what the reader can do about it; the class has a default.
        details: further facts as text, safe to show and to log (never a customer's words).
        retry_after: seconds after which trying again may work, where that is known.
    """

    code: ClassVar[str] = "internal"
    grpc_status: ClassVar[StatusCode] = StatusCode.INTERNAL
    http_status: ClassVar[int] = 500
    exit_status: ClassVar[int] = EXIT_SERVICE_FAILED
    default_remedy: ClassVar[str] = "Look in the service's log for this call id."

    def __init__(
        self,
        message: str,
        *,
        remedy: str | None = None,
        details: Mapping[str, str] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy or self.default_remedy
        self.details: dict[str, str] = dict(details or {})
        self.retry_after = retry_after

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword arguments survive pickling: durable workflows store errors.
        return (_rebuild, (type(self), self.message, self.remedy, self.details, self.retry_after))


def _rebuild(
    kind: type[CallscopeError],
    message: str,
    remedy: str,
    details: Mapping[str, str],
    retry_after: float | None,
) -> CallscopeError:
    return kind(message, remedy=remedy, details=details, retry_after=retry_after)


class InvalidInput(CallscopeError):
    """The request itself is wrong; sending it again unchanged will fail again."""

    code = "invalid_input"
    grpc_status = StatusCode.INVALID_ARGUMENT
    http_status = 400
    exit_status = EXIT_BAD_INPUT
    default_remedy = "Correct the request and send it again."


class InvalidAudio(InvalidInput):
    """The recording cannot be analyzed as it is."""

    code = "invalid_audio"
    http_status = 422
    default_remedy = "Send WAV, MP3, FLAC, Opus or another common format, one or two channels."


class EmptyAudio(InvalidAudio):
    """The file has no bytes, or its audio lasts zero seconds."""

    code = "empty_audio"
    default_remedy = "Check that the recorder finished writing, and upload the file again."


class UndecodableAudio(InvalidAudio):
    """The bytes are no media file, or a damaged one, or the codec is unknown."""

    code = "undecodable_audio"
    http_status = 415


class NoAudioStream(InvalidAudio):
    """A media file without sound."""

    code = "no_audio_stream"
    default_remedy = "Export the recording with its audio track."


class UnsupportedAudio(InvalidAudio):
    """Decodable, but outside what Callscope accepts: channel count or sample rate."""

    code = "unsupported_audio"


class AudioTooLarge(InvalidInput):
    """More bytes than the configured limit."""

    code = "audio_too_large"
    http_status = 413
    default_remedy = "Compress the recording, or raise CALLSCOPE_MAX_AUDIO_BYTES."


class AudioTooLong(InvalidInput):
    """A longer recording than the configured limit."""

    code = "audio_too_long"
    http_status = 413
    default_remedy = "Split the recording, or raise CALLSCOPE_MAX_AUDIO_SECONDS."


class UnknownChannel(InvalidInput):
    """The agent's channel was given, and the recording has no such channel."""

    code = "unknown_channel"
    default_remedy = "Channels count from 0; leave the agent's channel out to have it inferred."


class UnknownModel(InvalidInput):
    """No model of that name is in the manifest."""

    code = "unknown_model"
    default_remedy = "`callscope models list` shows the names."


class InvalidSetting(InvalidInput):
    """A setting in the environment or on the command line that cannot be used."""

    code = "invalid_setting"
    default_remedy = "docs/configuration.md describes every setting."


class InvalidRubric(InvalidInput):
    """A rubric file that does not hold together."""

    code = "invalid_rubric"
    http_status = 422
    default_remedy = "`callscope rubric check FILE` lists every problem with its line."


class Unauthenticated(CallscopeError):
    """The request carries no API key, or none that is valid."""

    code = "unauthenticated"
    grpc_status = StatusCode.UNAUTHENTICATED
    http_status = 401
    exit_status = EXIT_BAD_INPUT
    default_remedy = (
        "Send Authorization: Bearer with a valid key; `callscope keys create` makes one."
    )


class Forbidden(CallscopeError):
    """Who asks is known, and may not do this."""

    code = "forbidden"
    grpc_status = StatusCode.PERMISSION_DENIED
    http_status = 403
    exit_status = EXIT_BAD_INPUT
    default_remedy = "Use a key whose role allows this; docs/security.md lists the roles."


class ForbiddenUri(Forbidden):
    """The URI points outside the folders, buckets and hosts this service may read."""

    code = "forbidden_uri"
    default_remedy = (
        "Add the folder to CALLSCOPE_AUDIO_ROOTS or the bucket to CALLSCOPE_AUDIO_BUCKETS."
    )


class NotFound(CallscopeError):
    """The thing asked for does not exist."""

    code = "not_found"
    grpc_status = StatusCode.NOT_FOUND
    http_status = 404
    exit_status = EXIT_BAD_INPUT
    default_remedy = "Check the name."


class AudioNotFound(NotFound):
    """No file or object at that URI."""

    code = "audio_not_found"
    default_remedy = "Check the URI, and that this service can read it."


class CallNotFound(NotFound):
    """No call of that id."""

    code = "call_not_found"
    default_remedy = "List the calls with GET /v1/calls."


class KeyNotFound(NotFound):
    """No API key of that id."""

    code = "key_not_found"
    default_remedy = "`callscope keys list` shows the ids."


class RubricNotFound(NotFound):
    """No rubric of that name."""

    code = "rubric_not_found"
    default_remedy = (
        "`callscope rubric list` shows the names. A rubric of your own is given as YAML: its text "
        "as rubric_yaml to the API, its path to the command line."
    )


class Conflict(CallscopeError):
    """The same id or idempotency key was used for something else."""

    code = "conflict"
    grpc_status = StatusCode.ALREADY_EXISTS
    http_status = 409
    exit_status = EXIT_BAD_INPUT
    default_remedy = "Use a new id or key for a new recording."


class NotReady(CallscopeError):
    """The thing exists but is not finished: a record that is still being made, or failed."""

    code = "not_ready"
    grpc_status = StatusCode.FAILED_PRECONDITION
    http_status = 409
    default_remedy = "Watch the call's events, and ask again when it is done."


class ModelMissing(CallscopeError):
    """A model's files are not on this machine."""

    code = "model_missing"
    grpc_status = StatusCode.FAILED_PRECONDITION
    http_status = 503
    default_remedy = (
        "Run `callscope models pull`, or mount the folder and set CALLSCOPE_MODELS_DIR."
    )


class ModelDamaged(CallscopeError):
    """A model file's SHA-256 is not the manifest's."""

    code = "model_damaged"
    grpc_status = StatusCode.FAILED_PRECONDITION
    http_status = 503
    default_remedy = "Delete the file and run `callscope models pull` again."


class Overloaded(CallscopeError):
    """Every place is taken and the queue is full."""

    code = "overloaded"
    grpc_status = StatusCode.RESOURCE_EXHAUSTED
    http_status = 429
    default_remedy = "Try again after the time given, or add replicas."


class RateLimited(Overloaded):
    """More requests in a while than one API key may make."""

    code = "rate_limited"
    default_remedy = "Try again after the time given, and send fewer requests at once."


class Unavailable(CallscopeError):
    """A service, store or database that is needed does not answer."""

    code = "unavailable"
    grpc_status = StatusCode.UNAVAILABLE
    http_status = 503
    default_remedy = "Try again; if it lasts, check that the service is running and reachable."


class DeadlineExceeded(CallscopeError):
    """The caller's deadline passed before the work was done."""

    code = "deadline_exceeded"
    grpc_status = StatusCode.DEADLINE_EXCEEDED
    http_status = 504
    default_remedy = "Allow more time, or send a shorter recording."


class Cancelled(CallscopeError):
    """The caller went away; the work was stopped."""

    code = "cancelled"
    grpc_status = StatusCode.CANCELLED
    http_status = 499  # nginx's "client closed request"; RFC 9110 has no code for it
    default_remedy = "Send the request again if the result is still wanted."


def error_classes() -> Iterator[type[CallscopeError]]:
    """Yield every class of the tree, the root first."""
    pending: list[type[CallscopeError]] = [CallscopeError]
    while pending:
        kind = pending.pop(0)
        yield kind
        pending.extend(kind.__subclasses__())
