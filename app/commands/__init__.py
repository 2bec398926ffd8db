"""What the commands of `qiaomen` do; app/cli.py declares them."""
