"""nuScenes: thirteen JSON tables of a data set that refer to each other by tokens; `sample.json` is the object."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO, ClassVar

import orjson
from pydantic import Field

from winnowry.core.jsonable import exact_json
from winnowry.records.annotations import Unit
from winnowry.sources.annotated import AnnotationFormat, Box, RefusedLabels, numbers, whole_number
from winnowry.sources.base import ReadLimits, Record, Unreadable
from winnowry.sources.fields import described
from winnowry.sources.mapping import serialized

TABLES = (
    "attribute", "calibrated_sensor", "category", "ego_pose", "instance", "log", "map", "sample", "sample_annotation",
    "sample_data", "scene", "sensor", "visibility",
)  # fmt: skip
_NS_PER_US = 1000
_TURN = ("qw", "qx", "qy", "qz")
Row = Mapping[str, Any]
Tables = Mapping[str, Mapping[str, Row]]


class NuScenes(AnnotationFormat):
    """Reads the tables of nuScenes: a record is a sample (image), an instance (track) or a scene (log).

    The object is `sample.json`; the other twelve tables lie beside it. Sizes are width, length, height there, rotations
    begin with w and times are microseconds: here they are named and in nanoseconds. Boxes are in the frame `global`.
    Tokens that lead nowhere, chains of annotations that do not hold and counts that differ cost their own records.
    """

    name: ClassVar[str] = "nuscenes"

    record: Unit = Field(
        default="track", description="what a record is: a sample (image), an instance (track) or a scene (log)"
    )

    def items(self, stream: BinaryIO, uri: str, limits: ReadLimits) -> Iterator[Record | Unreadable]:
        """See :meth:`AnnotationFormat.items`.

        Reasons: ``table_missing``, ``json_invalid``, ``wrong_type``, ``id_twice`` (of the data set); ``dangling``,
        ``chain_broken``, ``chain_cycle``, ``count_differs``, ``missing_field``, ``value_count``, ``not_finite`` (of a
        record, or of an annotation that is in none); and those of :class:`~winnowry.sources.streams.BrokenStreamError`.
        """
        data = self.document(stream, limits)
        try:
            tables = {name: self._table(name, data if name == "sample" else None) for name in TABLES}
        except RefusedLabels as error:
            yield self.refused(0, error, data, ends_object=True)
            return
        yield from _DataSet(self, tables).items()

    def _table(self, name: str, data: bytes | None) -> dict[str, Row]:
        if data is None:
            file = self.neighbour(f"{name}.json")
            if file is None:
                raise RefusedLabels("table_missing", f"{name}.json", f"beside sample.json: {', '.join(TABLES)}")
            with file:
                data = file.read()
        try:
            rows = exact_json(data)
        except (orjson.JSONDecodeError, RecursionError) as error:
            raise RefusedLabels("json_invalid", f"{name}.json: {error}") from None
        if not isinstance(rows, list) or not all(
            isinstance(row, dict) and isinstance(row.get("token"), str) for row in rows
        ):
            raise RefusedLabels("wrong_type", f"{name}.json is {described(rows)}", "list of objects with a token")
        by_token = {row["token"]: row for row in rows}
        if len(by_token) < len(rows):
            raise RefusedLabels("id_twice", f"{name}.json: {len(rows) - len(by_token)} tokens come twice")
        return by_token


class _DataSet:
    """A data set that is being read."""

    def __init__(self, format: NuScenes, tables: Tables) -> None:
        self._format, self._tables = format, tables
        self._names: dict[Unit, Callable[[Row], str]] = {
            "image": lambda row: self._to(row, "sample_token", "sample")["token"],
            "track": lambda row: self._to(row, "instance_token", "instance")["token"],
            "log": lambda row: self._to(self._to(row, "sample_token", "sample"), "scene_token", "scene")["token"],
        }
        self._table_of: dict[Unit, str] = {"image": "sample", "track": "instance", "log": "scene"}
        self._sensors: dict[str, list[Row]] = {}
        for row in tables["sample_data"].values():
            if row.get("is_key_frame"):
                self._sensors.setdefault(str(row.get("sample_token")), []).append(row)

    def _to(self, row: Row, field: str, table: str) -> Row:
        """The row that a token leads to.

        Raises:
            RefusedLabels: ``dangling``.
        """
        token = row.get(field)
        other = self._tables[table].get(token) if isinstance(token, str) else None
        if other is None:
            raise RefusedLabels("dangling", f"{row.get('token')}: {field} {token!r:.60}", f"a token of {table}.json")
        return other

    def items(self) -> Iterator[Record | Unreadable]:
        unit = self._format.record
        boxes: dict[str, list[Box]] = {token: [] for token in self._tables[self._table_of[unit]]}
        wrong: dict[str, RefusedLabels] = {}
        astray = []
        for row in self._tables["sample_annotation"].values():
            try:
                name = self._names[unit](row)
            except RefusedLabels as error:
                astray.append((error, row))
                continue
            try:
                boxes[name].append(self._box(row))
            except RefusedLabels as error:
                wrong.setdefault(name, error)
        for token, broken in self._broken_chains():
            wrong.setdefault(token, broken)
        position = 0
        for token, of_record in boxes.items():
            try:
                if token in wrong:
                    raise wrong[token]
                yield self._record(position, token, of_record)
            except RefusedLabels as error:
                yield self._format.refused(position, error, self._tables[self._table_of[unit]][token])
            position += 1
        for refusal, row in astray:
            yield self._format.refused(position, refusal, row)
            position += 1

    def _box(self, row: Row) -> Box:
        sample = self._to(row, "sample_token", "sample")
        instance = self._to(row, "instance_token", "instance")
        category = self._to(instance, "category_token", "category")
        if row.get("visibility_token"):
            self._to(row, "visibility_token", "visibility")
        attributes = [
            self._to({**row, "attribute": token}, "attribute", "attribute")
            for token in row.get("attribute_tokens") or []
        ]
        width, length, height = numbers("size", row.get("size"), 3)
        x, y, z = numbers("translation", row.get("translation"), 3)
        return {
            "id": row["token"], "class": str(category.get("name")), "track": instance["token"],
            "time_ns": _time_ns(sample), "w": width, "l": length, "h": height, "x": x, "y": y, "z": z,
            **dict(zip(_TURN, numbers("rotation", row.get("rotation"), 4), strict=True)),
            "points": whole_number("num_lidar_pts", row.get("num_lidar_pts")),
            "attributes": serialized(
                {
                    "attributes": [item.get("name") for item in attributes],
                    "visibility": row.get("visibility_token"), "num_radar_pts": row.get("num_radar_pts"),
                }
            ).decode(),
        }  # fmt: skip

    def _broken_chains(self) -> Iterator[tuple[str, RefusedLabels]]:
        """Instances whose annotations are no chain, by the record that this costs."""
        of_instance: dict[str, list[Row]] = {}
        for row in self._tables["sample_annotation"].values():
            of_instance.setdefault(str(row.get("instance_token")), []).append(row)
        for token, instance in self._tables["instance"].items():
            rows = of_instance.get(token, [])
            try:
                _check_chain(instance, rows)
            except RefusedLabels as error:
                yield from ((name, error) for name in self._records_of(token, rows))

    def _records_of(self, instance: str, rows: Sequence[Row]) -> set[str]:
        if self._format.record == "track":
            return {instance}
        names = set()
        for row in rows:
            try:
                names.add(self._names[self._format.record](row))
            except RefusedLabels:
                continue  # it is a place of its own
        return names

    def _record(self, position: int, token: str, boxes: list[Box]) -> Record:
        unit = self._format.record
        samples = self._samples(token, boxes)
        if not samples:
            raise RefusedLabels("count_differs", f"{self._table_of[unit]} {token} has no sample", "at least one")
        scene = self._to(samples[0], "scene_token", "scene")
        self._to(scene, "log_token", "log")
        order = {time: number for number, time in enumerate(sorted(map(_time_ns, samples)))}
        for box in boxes:
            box["number"] = order[box["time_ns"]]
        boxes.sort(key=lambda box: box["number"])
        sensors = [row for sample in samples for row in self._sensors.get(sample["token"], [])]
        times = {sample["token"]: _time_ns(sample) for sample in samples}
        gaps = [abs(_time_ns(row) - times[str(row["sample_token"])]) for row in sensors]
        return self._format.labels(
            position,
            {"id": token, "scene": scene.get("name"), "log": scene.get("log_token")},
            boxes,
            key=token,
            frame="global",
            time_ns=min(times.values()),
            poses=self._poses(sensors),
            sync_ns=max(gaps, default=None),
            group=str(scene.get("name") or scene["token"]),
            layout=serialized({"format": "nuscenes"}).decode(),
        )

    def _samples(self, token: str, boxes: Sequence[Box]) -> list[Row]:
        unit, samples = self._format.record, self._tables["sample"]
        if unit == "image":
            return [samples[token]]
        if unit == "log":
            return [row for row in samples.values() if row.get("scene_token") == token]
        tokens = {str(self._tables["sample_annotation"][box["id"]]["sample_token"]) for box in boxes}
        return [samples[name] for name in sorted(tokens)]

    def _poses(self, sensors: Sequence[Row]) -> list[Box]:
        """Poses of the vehicle at the key frames of the lidar, in time order."""
        poses = {}
        for row in sensors:
            pose = self._to(row, "ego_pose_token", "ego_pose")
            sensor = self._to(self._to(row, "calibrated_sensor_token", "calibrated_sensor"), "sensor_token", "sensor")
            if sensor.get("channel") == "LIDAR_TOP":
                turn, place = (
                    numbers("rotation", pose.get("rotation"), 4),
                    numbers("translation", pose.get("translation"), 3),
                )
                poses[_time_ns(pose)] = dict(zip((*_TURN, "x", "y", "z"), [*turn, *place], strict=True))
        return [{"time_ns": time, **poses[time]} for time in sorted(poses)]


def _time_ns(row: Row) -> int:
    time = whole_number("timestamp", row.get("timestamp"))
    if time is None:
        raise RefusedLabels("missing_field", f"{row.get('token')}: no timestamp")
    return time * _NS_PER_US


def _check_chain(instance: Row, rows: Sequence[Row]) -> None:
    """Whether the annotations of an instance are one chain from its first to its last; a ring ends too."""
    by_token = {row["token"]: row for row in rows}
    token, before, n = instance.get("first_annotation_token"), "", 0
    while token:
        row = by_token.get(token)
        if row is None:
            raise RefusedLabels(
                "chain_broken", f"annotation {token} of instance {instance['token']}", "one of the instance"
            )
        n += 1
        if n > len(rows):
            raise RefusedLabels("chain_cycle", f"instance {instance['token']}: {token} comes again", "an end")
        if (row.get("prev") or "") != before:
            raise RefusedLabels("chain_broken", f"annotation {token}: prev is {row.get('prev')!r:.60}", repr(before))
        before, token = token, row.get("next")
    if before != (instance.get("last_annotation_token") or ""):
        raise RefusedLabels("chain_broken", f"instance {instance['token']} ends at {before}", "last_annotation_token")
    if n != len(rows) or instance.get("nbr_annotations", n) != n:
        value = f"instance {instance['token']}: {n} in the chain, {len(rows)} in the table"
        raise RefusedLabels("count_differs", value, f"nbr_annotations {instance.get('nbr_annotations')}")
