"""New versions of records that are there: by another rubric, or from the audio once more."""
