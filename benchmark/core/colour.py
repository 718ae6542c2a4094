"""The weights that make a grey image of a colour one."""

LUMA = (0.299, 0.587, 0.114)  # of R, G and B, Recommendation ITU-R BT.601: luma = 0.299 R + 0.587 G + 0.114 B
