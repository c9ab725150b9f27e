"""The language layer: what every stage that reads words has in common.

``words`` cuts text into words, in the few ways there are, and lists what is no word (fillers); ``language``
says which language a turn is in.
"""
