"""Arrays and one JSON document in a single NPZ file: no pickle, written atomically."""

from __future__ import annotations

import io
import json
import os
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from optkit.errors import InstanceError, UsageError
from optkit.files import parse_document, write_bytes

Arrays = Mapping[str, NDArray[Any]]
_DOCUMENT = "document"


def write_archive(
    path: str | os.PathLike[str],
    document: Mapping[str, Any],
    arrays: Arrays,
    compress: bool = False,
) -> None:
    """Write a document and arrays; equal contents give equal bytes.

    Raises
    ------
    OSError
        The folder is missing or cannot be written.
    """
    text = json.dumps(document, allow_nan=False).encode()
    stream = io.BytesIO()
    save = np.savez_compressed if compress else np.savez
    save(stream, allow_pickle=False, **{_DOCUMENT: np.frombuffer(text, np.uint8)}, **arrays)
    write_bytes(path, stream.getvalue())


def read_archive(source: Any, name: str) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """The document and the arrays of a file.

    Parameters
    ----------
    source : path, or a binary stream.
    name : what messages call it.

    Raises
    ------
    UsageError
        One line: missing, not an NPZ file, damaged, or without a document.
    """
    try:
        with np.load(source, allow_pickle=False) as file:
            if not isinstance(file, np.lib.npyio.NpzFile):
                raise ValueError
            arrays = {key: file[key] for key in file.files}
        document = parse_document(bytes(arrays.pop(_DOCUMENT)).decode())
    except FileNotFoundError:
        raise UsageError(f"{name}: no such file") from None
    except IsADirectoryError:
        raise UsageError(f"{name}: is a directory, expected an NPZ file") from None
    except OSError as error:
        reason = error.strerror or "not an NPZ file"
        raise UsageError(f"{name}: cannot be read: {reason}") from None
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error, InstanceError, AttributeError):
        raise UsageError(f"{name}: not an NPZ file that optkit wrote, or damaged") from None
    except (KeyError, TypeError, NotImplementedError, MemoryError):
        raise UsageError(f"{name}: not an NPZ file that optkit wrote") from None
    return document, arrays
