"""Operators on annotations: boxes, masks, tracks and poses, and how annotators agree."""
