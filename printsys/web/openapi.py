"""The OpenAPI document of /api/v1: what scripts may ask for, and what the answers look like.

The schemas come from where the values do: the models of metadata.json and events.jsonl, and the mirror's columns.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import models_json_schema
from sqlalchemy.dialects.postgresql import JSONB

from indexer.attention import FIXES_BY_KIND, AttentionItem
from indexer.schema import BOOKKEEPING, jobs
from printsys.domain.events import Event
from printsys.domain.job import Job
from printsys.domain.status import Status

Schema = dict[str, Any]

VERSION = "1"
REFERENCE = "#/components/schemas/{model}"
MOST = 500
"""Jobs in one answer."""
FIRST_ID = {"job_id": "$response.body#/jobs/0/id"}
LINKS = {"jobs": {name: {"operationId": name, "parameters": FIRST_ID} for name in ("job", "events")}}
"""Which answer leads to which."""
MODELS: tuple[type[BaseModel], ...] = (Job, Event)


def document(page: int) -> Schema:
    """`page`: how many jobs an answer has where nobody asks for a number."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Print lab",
            "version": VERSION,
            "description": "Reading only. Times are UTC (ISO 8601, `Z`); money, grams, milliliters and hours are text.",
        },
        "security": [{"token": []}, {"session": []}],
        "paths": _paths(page),
        "components": {
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "`manage.py api-token NAME` makes one."},
                "session": {"type": "apiKey", "in": "cookie", "name": "printsys", "description": "Staff, logged in."},
            },
            "schemas": _schemas(),
        },
    }


def _paths(page: int) -> Schema:
    job_id = {"name": "job_id", "in": "path", "required": True, "schema": {"type": "string"}}
    return {
        "/api/v1/jobs": {
            "get": _reading(
                "jobs",
                "Jobs, the newest in their status first",
                {
                    "jobs": {"type": "array", "items": _ref("JobRow")},
                    "total": {"type": "integer", "minimum": 0, "description": "How many match, beyond this slice."},
                },
                [
                    _query("status", "In this status alone.", {"type": "string", "enum": [*Status]}),
                    _query("q", "Words that must all be found in the job.", {"type": "string"}),
                    _query(
                        "limit", f"At most {MOST}; larger numbers count as that.", {"type": "integer", "default": page}
                    ),
                    _query("offset", "How many to pass over.", {"type": "integer", "default": 0}),
                ],
                {"422": "A status that there is not, or a number that is none."},
            )
        },
        "/api/v1/jobs/{job_id}": {
            "get": _reading(
                "job",
                "A job as its folder has it",
                {
                    "job": _ref("Job"),
                    "folder": {"type": "string", "description": "Relative to the storage, with forward slashes."},
                    "move_pending": _nullable("string", "Why the folder is not in its status folder yet."),
                    "problem": _nullable("string", "What a person must look at in the record."),
                },
                [job_id],
                {"404": "No such job, or its folder is not there.", "409": "The record needs a person."},
            )
        },
        "/api/v1/jobs/{job_id}/events": {
            "get": _reading(
                "events",
                "All that ever happened to a job, as its log has it",
                {"events": {"type": "array", "items": _ref("Event")}},
                [job_id],
                {"404": "No such job, or its folder is not there.", "409": "The record needs a person."},
            )
        },
        "/api/v1/attention": {
            "get": _reading(
                "attention",
                "What needs a person, the oldest first",
                {
                    "attention": {"type": "array", "items": _ref("AttentionItem")},
                    "note": _nullable("string", "What the list lacks while there is no database."),
                },
            )
        },
    }


def _reading(
    name: str,
    summary: str,
    properties: Schema,
    parameters: list[Schema] | None = None,
    refusals: dict[str, str] | None = None,
) -> Schema:
    everywhere = {"401": "Neither a token nor a staff session.", "503": "Storage or database are not available."}
    body = {"type": "object", "properties": properties, "required": [*properties]}
    answer: Schema = {"description": summary, "content": {"application/json": {"schema": body}}}
    if name in LINKS:
        answer["links"] = LINKS[name]
    return {
        "operationId": name,
        "summary": summary,
        "parameters": parameters or [],
        "responses": {
            "200": answer,
            **{
                code: {"description": text, "content": {"application/json": {"schema": _ref("Error")}}}
                for code, text in sorted((everywhere | (refusals or {})).items())
            },
        },
    }


def _query(name: str, description: str, schema: Schema) -> Schema:
    return {"name": name, "in": "query", "description": description, "schema": schema}


def _ref(name: str) -> Schema:
    return {"$ref": REFERENCE.format(model=name)}


def _nullable(kind: str, description: str) -> Schema:
    return {"type": [kind, "null"], "description": description}


def _schemas() -> Schema:
    _, definitions = models_json_schema([(model, "serialization") for model in MODELS], ref_template=REFERENCE)
    attention = TypeAdapter(AttentionItem).json_schema(ref_template=REFERENCE)
    attention["properties"]["kind"]["enum"] = sorted(FIXES_BY_KIND)
    texts = {name: {"type": "string"} for name in ("error", "message")}
    return {
        **definitions["$defs"],
        "AttentionItem": attention,
        "Error": {"type": "object", "properties": texts, "required": [*texts]},
        "JobRow": _row_schema([column for column in jobs.c if column.name not in BOOKKEEPING]),
    }


def _row_schema(columns: list[sa.Column[Any]]) -> Schema:
    properties = {column.name: _column_schema(column) for column in columns}
    return {"type": "object", "properties": properties, "required": [*properties]}


def _column_schema(column: sa.Column[Any]) -> Schema:
    if isinstance(column.type, JSONB):
        return _ref("Job")
    kind, extra = "string", {}
    if isinstance(column.type, sa.Integer):
        kind = "integer"
    elif isinstance(column.type, sa.DateTime):
        extra = {"format": "date-time"}
    description = {"description": column.comment} if column.comment else {}
    return {"type": [kind, "null"] if column.nullable else kind, **extra, **description}
