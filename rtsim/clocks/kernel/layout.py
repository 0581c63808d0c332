"""Where everything lies: names for the places in the kernel's arrays, and how it is compiled."""

from __future__ import annotations

from rtsim.clocks.jit import CALLED, njit

# A copy in place, for what is done at every event; and a call, for what is rare: copies cost time to compile.
hot = njit(forceinline=True, **CALLED)
rare = njit(forceinline=False, **CALLED)

FAR = 1 << 62  # later than any event
RING = 2048  # random numbers kept per stream: less than a block before the next one is added
STEP_RING = 8192
INDEX = (1 << 31) - 1  # what is cut to it is never negative, which spares the compiler a look from the end

# Scalars in g: settings first, then where the tables in X begin and how long they are, then what changes.
(
    WORKERS, LEARNERS, STEPS, START_RULE, END_RULE, LEARN_RULE, CHUNK, STAGES, SKIP, LEARNS, QUEUE, LEARNING, STARTS,
    BATCH, MERGED, DISPATCH, PARTS, LEAVES, FULL, WARMUP, SLOW0, SLOW1, SLOW2,
    O_DRAWS, O_PARTS, O_DISPATCH, O_LEARNER, O_LEARNING, O_LEARNER_STATE, O_LANDING, O_LANDS, O_TIMES, O_SWITCH0,
    O_SWITCH1, O_SWITCH2, O_MAIL, O_HOLD, O_FIRST, O_LAST, O_WAKE, O_LATER, O_PIPE, O_DUE, O_ENDS, O_STARTERS,
    O_STEPS, O_UPDATES, O_DELAYS, N_MAIL, N_RING, N_LATER, N_PIPE, N_UPDATES, N_DELAYS,
    STEP, STEP_START, STEPS_KNOWN, VERSION, MAIL_HEAD, MAIL, RELEASED, OVERWRITTEN, DROPPED, ROWS, UPDATES,
    KEPT_UPDATES, NEED, NOW, FREE_HOLD, QUEUE_SIZE, SEQUENCE, PIPE_HEAD, PIPE, LEFT_LAST, LEARNER_WAKE,
    NEXT_LEARNER, NEXT_LEARNER_TIME, WORKER_FAR, FAULT_AT, SWITCH0, SWITCH1, SWITCH2, SWITCHES_END, LONGEST,
    NEWEST_CHUNK,
    # the tally
    T_USED, T_RELEASED, T_OVERWRITTEN, T_DROPPED, T_GAPS, T_NS, T_STEPS, T_STEPS2, T_HH0, T_HH1, T_HL0, T_HL1, T_LL0,
    T_LL1, T_TRANSITIONS, T_UPDATES, T_STALENESS, T_AGE, T_LAST_NS, T_LAST_STEP,
    SCALARS,
) = range(106)  # fmt: skip

# Columns of a worker's row in W and of a learner's in X.
(
    TIME, KIND, WAIT, OBSERVATION, STARTED, ENDS, PARAMETERS, COMPONENT, COUNT, ZERO, DRAWN, FILLED, BUSY, BUSY_END,
    FREE, NEXT,
) = range(16)  # fmt: skip
FIELDS = 16
L_START, L_STEP, L_VERSION, L_END = OBSERVATION, STARTED, ENDS, PARAMETERS

# What an actor's next event is.
WAITING, START, END, RELEASE_START, LAND, LAND_FIRST, LEARN = range(7)

# Rows of R: rtsim.clocks.gather.RAW_INFERENCE. A run that only counts keeps OBSERVED and PARAMETERS_USED.
RAN_ON, RAN_AS, OBSERVED, BEGAN, ENDED, RELEASED_AT, PARAMETERS_USED, PART, USED_AT = range(9)

# Why advance() came back.
DONE, NEED_DRAWS, NEED_STEPS, NEED_ROOM, NEED_SWITCHES, FAULT, TOO_SMALL = range(7)
