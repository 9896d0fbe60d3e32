"""What people do with a sentence: the closed vocabulary that rubrics and classifiers share.

An act lives in one sentence. Rubrics give points for acts; the score service finds them.
The value is the name used in YAML, in evidence labels and in training files.
"""

from enum import StrEnum

__all__ = ["AgentAct", "Cue", "CustomerAct"]


class AgentAct(StrEnum):
    """An act of the agent."""

    EMOTIONAL_ACKNOWLEDGEMENT = "emotional_acknowledgement"  # answers a feeling or a hardship
    UNDERSTANDING = "understanding"  # shows they grasp and accept what the customer needs or thinks
    APOLOGY = "apology"  # regret for what the customer met; never "sorry, what was that?"
    REASSURANCE = "reassurance"  # takes the worry off the customer: "don't worry", "take your time"
    STOCK_PHRASE = "stock_phrase"  # what anybody is told, and no more: "I'm sorry to hear that"
    OWNERSHIP = "ownership"  # makes the problem their own: "leave it with me"
    REFLECTION = "reflection"  # says back what the customer said, in other or the same words
    COMPLEX_REFLECTION = "complex_reflection"  # a reflection that says what was felt or meant
    UPTAKE = "uptake"  # takes up what the customer just said, in two words of theirs or more
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
    ACTION_TAKEN = "action_taken"  # says what is done for the customer: "that's cancelled now"
    INFORMATION = "information"  # gives the answer or the instruction that the customer needs
    HEDGE = "hedge"  # leaves open what is so or will be: "it should be", "I couldn't tell you"
    DISMISSIVE = "dismissive"  # brushes the concern aside or sends the customer away
    BLAMING = "blaming"  # says or hints that it is the customer's fault


class CustomerAct(StrEnum):
    """An act of the customer: what calls for one of the agent's."""

    EMOTION = "emotion"  # a feeling in words: fear, anger, distress, joy
    PROBLEM = "problem"  # something went wrong, or does not work, or is owed
    QUESTION = "question"  # asks the agent something
    VULNERABILITY = "vulnerability"  # illness, loss, hardship, age, a dependant at risk
    NAME_GIVEN = "name_given"  # says who they are
    SAID_BEFORE = "said_before"  # points out that they have said it already
    SAID_AGAIN = "said_again"  # says again what the agent has not taken up


class Cue(StrEnum):
    """What a disclosure is made of, or hangs on, as it is told in any words.

    Elements and events of a rubric may name any number. All are an agent's; customers tell of the
    last three as well.
    """

    RECORDING_NOTICE = "recording_notice"  # the call is recorded or monitored
    RECORDING_PURPOSE = "recording_purpose"  # what it is recorded for
    NAME_ASKED = "name_asked"  # asks or checks who the customer is
    PROOF_ASKED = "proof_asked"  # asks or checks something else that identifies them
    COLLECTION_ATTEMPT = "collection_attempt"  # this is an attempt to collect a debt
    INFORMATION_USE = "information_use"  # what is said will be used for that
    COLLECTOR_NAMED = "collector_named"  # the caller is a debt collector
    CHARGE_CONSENT = "charge_consent"  # asks permission for a charge, or says what grants it
    CHARGE_AMOUNT = "charge_amount"  # names what is charged
    CANCELLATION_RIGHT = "cancellation_right"  # what is agreed may be cancelled
    CANCELLATION_PERIOD = "cancellation_period"  # by when
    INTEREST_RATE = "interest_rate"  # of a loan or a card
    RATE_KIND = "rate_kind"  # fixed, variable, or as the credit check goes
    DEBT_RAISED = "debt_raised"  # speaks of money that the customer is behind with
    CONTRACT_MADE = "contract_made"  # makes a contract, subscription or plan now
    CREDIT_OFFERED = "credit_offered"  # offers a loan, a credit card or financing
    OWN_BUSINESS = "own_business"  # the customer's own account, order, policy ... is dealt with
    CARD_PAYMENT = "card_payment"  # a card payment is asked for, offered or made now
    FRAUD = "fraud"  # somebody else used the customer's account or card
