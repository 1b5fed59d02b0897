"""Write rollouts: 40 requests with criteria of their own, each answered by two simple policies at two steps."""

import json
import random
import sys
from pathlib import Path

TOPICS = ("bridges", "tides", "bread", "maps", "clocks", "rivers", "kites", "glass", "tea", "lanterns")
FORMS: tuple[tuple[str, str, dict[str, object], str], ...] = (
    ("in at most 12 words", "words", {"most": 12}, "length"),
    ("without a comma", "punctuation:no_comma", {}, "form"),
    ("as three bullet points", "detectable_format:number_bullet_lists", {"num_bullets": 3}, "form"),
    ("and end with the words: That is all.", "startend:end_checker", {"end_phrase": "That is all."}, "form"),
)
OPENINGS = ("", "What a great question! ", "Sure. ")


def answer(draw: random.Random, topic: str, form: int, skill: float) -> str:
    """An answer that keeps each rule with a probability."""
    keeps = [draw.random() < skill for _ in FORMS]
    items = [f"{topic} are {word}" for word in draw.sample(("old", "useful", "quiet", "strong", "plain"), 3)]
    if form == 2:
        return draw.choice(OPENINGS) + "\n".join(f"* {item}" for item in (items if keeps[2] else items[:2]))
    joined = (" and " if form == 1 and keeps[1] else ", ").join(items[: 1 if form == 0 and keeps[0] else 3])
    longer = "" if form == 0 and keeps[0] else f" and people have written about {topic} for a very long time indeed"
    return f"{draw.choice(OPENINGS)}{joined.capitalize()}{longer}." + (
        " That is all." if form == 3 and keeps[3] else ""
    )


def criteria(topic: str, form: int) -> list[dict[str, object]]:
    """What a request asks of its answers."""
    _, program, params, family = FORMS[form]
    named = {"program": "required_terms", "params": {"terms": [topic]}, "family": "content"}
    brief = {"program": "words", "params": {"most": 22}, "family": "length"}
    return [
        {"criterion_id": "wish", "program": program, "params": params, "family": family, "weight": 3},
        {"criterion_id": "topic", **named},
        {"criterion_id": "brief", **brief},
    ]


def main(root: Path) -> None:
    """Write a file a step of training below ``root/landing/rollouts``."""
    draw = random.Random(7)
    folder = root / "landing/rollouts"
    folder.mkdir(parents=True, exist_ok=True)
    requests = [(topic, form) for topic in TOPICS for form in range(len(FORMS))]
    for step, skill in ((0, 0.5), (100, 0.8)):
        with (folder / f"step-{step:04}.jsonl").open("w", encoding="utf-8") as file:
            for topic, form in requests:
                for rollout in range(8):
                    row = {
                        "prompt_id": f"{topic}-{form}",
                        "prompt": f"Tell me about {topic} {FORMS[form][0]}",
                        "completion": answer(draw, topic, form, skill),
                        "policy": "sketch",
                        "policy_step": step,
                        "rollout": rollout,
                        "criteria": criteria(topic, form),
                    }
                    file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
