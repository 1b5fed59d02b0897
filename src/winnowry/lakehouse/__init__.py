"""The only place that knows lance: tables, promotion, lineage."""
