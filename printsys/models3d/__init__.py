"""What a mesh is: whether a file holds one (sniff), what it is like (inspect), what that means for whoever made it
(findings, compare, estimate), a picture (thumbnail) and a page to turn it on (viewer).

Others go through `bounded`, which does the same in a process with limits. Nothing is imported here: a picture of a
large model has to start quickly.
"""
