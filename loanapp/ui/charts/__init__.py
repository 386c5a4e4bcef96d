"""Pictures: Vega-Lite charts that can be read in black and white, with units on their axes."""
