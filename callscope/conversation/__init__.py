"""The parts `callscope.dialogue` is made of: pure functions, no model, no input or output.

In the order of use: `attribution` gives every word a speaker, `passages` cuts the words into
what each said in one go, `ivr` finds recorded voices, `roles` tells agent from customer by
`cues`, `speech` says when each utterance was spoken, `turntaking` and `holds` find what happened
between them, `talk` counts.
"""
