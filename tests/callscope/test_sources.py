"""No URI reaches a byte outside the folders and buckets that are allowed."""

import io
import os
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import pytest
import urllib3
from minio import Minio
from pytest import MonkeyPatch

from callscope.audio import AudioLimits, AudioReader
from callscope.errors import (
    AudioNotFound,
    AudioTooLarge,
    CallscopeError,
    EmptyAudio,
    ForbiddenUri,
    Unavailable,
)
from callscope.types import AudioSource
