"""What the fixed columns of the tables mean, for catalogues, cards and pages."""

from __future__ import annotations

from collections.abc import Mapping

MEANINGS: Mapping[str, str] = {
    "record_id": "Identifies the record in every table: 128 bits, stable across re-ingest and roots",
    "partition": "Partition key of the record",
    "promotion_id": "The promotion that wrote the row",
    "source": "Source of the recipe the record came from",
    "uri": "Landing object",
    "size": "Size in bytes; of a text, in UTF-8",
    "etag": "The object's entity tag: another one means other content",
    "object_sha256": "SHA-256 of the object as stored: equal ones are the same object, whatever its entity tag",
    "modified_at": "When the object was last written",
    "partitions": "Partitions the object holds, with their records",
    "n_records": "Records in the object, unreadable ones included",
    "position": "0-based line or row in the object",
    "event_time": "When the event the record tells of happened, UTC",
    "ingested_at": "When the record was read, UTC",
    "content_sha256": "SHA-256 of the payload",
    "media_type": "Media type of the payload",
    "payload": "The record as it arrived: its text, or the bytes of its file",
    "meta": "All other fields of the record, as JSON",
    "license": "License of the record, or of its source",
    "parent_ids": "Records this one was made from; null when it was made from itself",
    "text": "The cleaned text",
    "kept_record_id": "The keeper of the group of duplicates",
    "method": "How the duplicate was found",
    "similarity": "Similarity to the twin, 0 to 1; estimated for near-duplicates",
    "twin_record_id": "The record of the group that it was found to be like",
    "steps": "Twins between this record and the keeper",
    "group_size": "Records of the group, the keeper among them",
    "n_tokens": "Tokens of the text",
    "stratum": "Stratum the record was drawn in",
    "probability": "Inclusion probability, 0 to 1",
    "draw": "The record's permanent random number, 0 to 1",
    "selected": "Whether the record is in the sample",
}
"""Meaning by name; what an operator writes is explained by the operator."""
