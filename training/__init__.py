"""From example sentences to the weights that ship. Not part of the wheel."""
