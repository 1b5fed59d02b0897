"""What the data must be, stage by stage, as Great Expectations suites: yours to edit."""
