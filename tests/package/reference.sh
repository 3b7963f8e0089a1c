#!/usr/bin/env bash
# docs/reference says what the headers say.
exec "$PROJECT/docs/make-reference" --check
