"""What is said in any call and tells of nothing in particular: counterexamples for events."""

__all__ = ["EVERYDAY"]

EVERYDAY: tuple[str, ...] = tuple(
    """
hello
good morning, how can I help you
thank you for calling, you've got Mia, how are you doing today
hi, I'm fine, how are you
is this a good time
one moment please
bear with me while I look
let me have a look at that for you
I'm just opening your file
sorry, could you say that again
can you hear me now
are you still there
I'll put you on hold for a minute
thanks for waiting
okay, go ahead
yes
no, that's not it
right, I see
that's correct
that's exactly it
could you spell that for me
nine four one, double two, seven
nineteen Orchard Street
the fourth of May nineteen seventy
my name is Sandra Klein
what's your phone number
what's the best time to call you
let me get a pen
I need my glasses, hold on
I've written it down
how long will that take
it takes about three days
you'll get a text
I'll have my phone on
I'll call you back tomorrow
somebody will be in touch
you can do that online
it's on the website
you can send it by email
you can send us whatever you have
I'll make a note of that
I've put a note on the file
press the button on the back
unplug it and wait for a minute
what color is the light
click on help and then on about
what does the screen say
it came up on my screen
it's still not working
it was fine yesterday
the driver was here at noon
I waited in all day
that's no good to me
I'm really upset about this
I understand, and I'm sorry
don't worry, we'll sort it out
I can't promise that
I have to ask my supervisor
I don't know when he'll be back
that's our policy
who told you that
nobody told me that
what happened then
who else could it have been
did you sign the sheet
have you got the paper with you
which one would you like
mornings or afternoons
Thursday at ten would be fine
in about half an hour
how many of you are there
my daughter is getting married
we've got a baby coming in March
I work nights
my husband normally does this
she's eighty one
it's pouring with rain here
where are you exactly
is anybody with you
so let me say that back to you
does that make sense
is there anything else I can help you with
no, that's everything
thank you so much
you have a good day
talk to you soon
""".strip().splitlines()
)
"""Sentences of agents and customers."""
