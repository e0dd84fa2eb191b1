"""The comparer's parts. They know docs/agreement.md and the two dumps, and nothing else of this project."""
