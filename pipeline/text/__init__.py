"""The language layer, shared by all stages that read words.

``words`` cuts text into words and lists fillers and negations; ``language`` says which language a turn is in,
``first_names`` lists first names.
"""
