"""Target sets: texts that a corpus should resemble, read from files on this machine and identified by their hash."""

from __future__ import annotations

import glob
import hashlib
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from winnowry.core.errors import ContractError
from winnowry.operators.dedup.evaluation_sets import EvaluationSet
from winnowry.operators.input_path import InputPath


class TargetTexts(BaseModel):
    """Texts of a target set."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: InputPath = Field(
        description="file, or glob of files, on the machine that fits: .jsonl, .parquet or .txt (a text a line), also "
        ".gz and .zst; relative ones start at the folder the command runs in",
    )
    fields: tuple[str, ...] = Field(
        default=("text",), min_length=1, description="fields with texts, `.` for nested ones; not for .txt"
    )

    def content_sha256(self) -> str:
        """Hash of the contents of all files in the order of their names; where they lie does not count.

        Raises:
            ValueError: no file matches, or a format is not known.
        """
        digest = hashlib.sha256()
        for file in self._files():
            digest.update(bytes.fromhex(file.content_sha256()))
        return digest.hexdigest()

    def texts(self, expected_sha256: str) -> Iterator[str]:
        """Every text, file by file in the order of their names.

        Args:
            expected_sha256: what :meth:`content_sha256` was when the recipe was loaded.

        Raises:
            ContractError: the files are gone, have changed, or cannot be read; the message says where.
        """
        try:
            digest = self.content_sha256()
            if digest != expected_sha256:
                raise ContractError(
                    f"target set {self.path}: not the files of the recipe (SHA-256 {digest}, expected "
                    f"{expected_sha256}); load the recipe again, or bring back the files"
                )
            for file in self._files():
                for _, text in file.texts():
                    yield text
        except (OSError, ValueError) as error:
            raise ContractError(f"target set: {error}") from error

    def _files(self) -> list[EvaluationSet]:
        pattern = str(Path(self.path).expanduser())
        paths = [pattern] if Path(pattern).is_file() else sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207
        files = [path for path in paths if Path(path).is_file()]
        if not files:
            raise ValueError(
                f"target set: no file matches {Path(pattern).absolute()}; give a full path, or one relative to "
                f"{Path.cwd()}"
            )
        return [EvaluationSet(name=path, path=InputPath(path), fields=self.fields) for path in files]
