"""The page as a folder of files, without a server."""
