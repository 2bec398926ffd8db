"""The page on which an office signs in and reads reports."""
