"""The charts of the page, each a function from what was measured to a Vega-Lite specification."""
