"""The drill: commands are killed, machines fail, input is hostile, and nothing may be lost or wrong.

`make drill` runs all of it and writes docs/reliability.md; `make test` rehearses it.
"""
