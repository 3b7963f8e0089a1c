#!/usr/bin/env bash
# docs/proof/threats.md names every test of the threats by the name that it has.
exec "$PROJECT/docs/make-threats" --check
