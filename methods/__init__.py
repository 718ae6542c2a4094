"""The deblurring methods. A method sees an observation and nothing else; it knows no dataset and no score."""
