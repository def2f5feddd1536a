"""Pure functions from a recording to tables and measures; docs/measures.md defines each."""
