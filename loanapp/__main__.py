"""``python -m loanapp``: the command line."""

from loanapp.cli import app

app(prog_name="loanapp")
