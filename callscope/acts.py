"""What people do with a sentence: the closed vocabulary that rubrics and classifiers share.

An act lives in one sentence. Rubrics give points for acts; the score service finds them.
The value is the name used in YAML, in evidence labels and in training files.
"""

from enum import StrEnum

__all__ = ["AgentAct", "CustomerAct"]


class AgentAct(StrEnum):
    """An act of the agent."""

    EMOTIONAL_ACKNOWLEDGEMENT = "emotional_acknowledgement"  # answers a feeling or a hardship
    UNDERSTANDING = "understanding"  # shows they grasp and accept what the customer needs or thinks
    APOLOGY = "apology"  # regret for what the customer met; never "sorry, what was that?"
    REASSURANCE = "reassurance"  # takes the worry off the customer: "don't worry", "take your time"
    OWNERSHIP = "ownership"  # makes the problem their own: "leave it with me"
    REFLECTION = "reflection"  # says back what the customer said, in other or the same words
    COMPLEX_REFLECTION = "complex_reflection"  # a reflection that says what was felt or meant
    PARAPHRASE_CHECK = "paraphrase_check"  # asks whether it was understood: "did I get that right?"
    OPEN_QUESTION = "open_question"  # cannot be answered by yes, no or one fact
    CLOSED_QUESTION = "closed_question"  # asks for yes, no or one fact
    DISCOVERY_QUESTION = "discovery_question"  # explores the problem, its cause or what is needed
    FOLLOW_UP = "follow_up"  # a discovery question that builds on what the customer just said
    EXPLORATION = "exploration"  # asks how the customer is, or how it affects them
    GREETING_NAME = "greeting_name"  # opens with the agent's own name
    NAME_USE = "name_use"  # speaks to the customer by name
    RAPPORT = "rapport"  # a personal, warm remark beyond the business
    PROPOSAL = "proposal"  # offers a way to solve it
    NEXT_STEPS = "next_steps"  # says what the company does next, or by when
    CONFIRM_RESOLVED = "confirm_resolved"  # asks whether it is solved, or what else is open
    RECAP = "recap"  # sums up what was done or agreed
    DISMISSIVE = "dismissive"  # brushes the concern aside or sends the customer away
    BLAMING = "blaming"  # says or hints that it is the customer's fault


class CustomerAct(StrEnum):
    """An act of the customer: what calls for one of the agent's."""

    EMOTION = "emotion"  # a feeling in words: fear, anger, distress, joy
    PROBLEM = "problem"  # something went wrong, or does not work, or is owed
    QUESTION = "question"  # asks the agent something
    VULNERABILITY = "vulnerability"  # illness, loss, hardship, age, a dependant at risk
