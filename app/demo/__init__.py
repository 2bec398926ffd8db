"""An invented community to try things on: nobody in it exists."""
