"""`qiaomen bench`: how fast this server is, each figure beside a limit measured in the same run on the same rows."""
