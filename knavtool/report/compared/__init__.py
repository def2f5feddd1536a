"""Two runs compared, as text for a terminal, Markdown and JSON."""
