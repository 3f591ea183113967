"""VALIDATE: a sample held against an expectation suite; Great Expectations lives here alone."""
