"""How often the sensor has tried a step: what the object store did not answer says nothing about the step."""

from __future__ import annotations

import dagster as dg

from assets.in_flight import TOKEN_TAG, Attempts, attempts, mark_unreachable


def test_runs_that_the_store_did_not_answer_do_not_count_and_have_numbers_of_their_own() -> None:
    with dg.instance_for_test() as instance:
        runs = [dg.DagsterRun(job_name="tickets", tags={TOKEN_TAG: token}) for token in ("a", "a", "a", "b")]
        for run in runs:
            instance.add_run(run)
        assert attempts(instance, "a") == Attempts(runs=3, counted=3)
        mark_unreachable(instance, runs[1].run_id)
        mark_unreachable(instance, runs[3].run_id)
        assert attempts(instance, "a") == Attempts(runs=3, counted=2)
        assert attempts(instance, "b") == Attempts(runs=1, counted=0)
        assert attempts(instance, "none") == Attempts(runs=0, counted=0)
