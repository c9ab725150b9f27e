"""The language layer: what every stage that reads words has in common.

``words`` cuts a text into normalised words, each with its place in the text, and lists what is no word
(fillers); ``language`` says which language a turn is in.
"""
