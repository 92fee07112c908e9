"""What a mesh is: whether a file holds one (sniff), its figures (inspect), what those mean for the student who made it
(findings, compare, estimate), a picture (thumbnail) and a page to turn it on (viewer).

Other packages go through `bounded`, which does the same in a process with limits. This module imports nothing: a
picture of a large model has to start quickly.
"""
