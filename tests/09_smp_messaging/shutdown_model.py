#!/usr/bin/env python3
"""Every state of a shutdown, for a few shards and messages: is it over only when nothing can happen any more?

A shard is busy (counted by Smp) until it has nothing to do and everything that it sent has come home; whoever
receives a message is busy before it answers. Here every order of steps is tried:

    run        a shard with something to do sends a message, to anybody, or ends what it has to do
    receive    a request arrives: its target is busy, and has it to do
    answer     at any time after that
    return     the answer arrives: its home has something to do, the caller
    idle       a shard with nothing to do and nothing outstanding is counted out

Run it by hand: python3 tests/09_smp_messaging/shutdown_model.py
"""
SHARDS, MESSAGES = 3, 4
UNDER_WAY, THERE, ANSWERED = range(3)


def with_(values, index, value):
    return values[:index] + (value,) + values[index + 1:]


def steps(state):
    """The states that can follow, each reached by one shard's one step."""
    work, busy, messages, sent = state
    for i in range(SHARDS):
        there = any(m == (h, i, THERE) for m in messages for h in range(SHARDS))
        outstanding = any(m[0] == i for m in messages)
        if work[i] or there:
            assert busy[i], f"shard {i} works and is not counted: {state}"
            if sent < MESSAGES:
                for to in range(SHARDS):
                    yield work, busy, tuple(sorted(messages + ((i, to, UNDER_WAY),))), sent + 1
        elif busy[i] and not outstanding:
            yield work, with_(busy, i, False), messages, sent
        if work[i]:
            yield with_(work, i, False), busy, messages, sent
    for k, (home, to, place) in enumerate(messages):
        others = messages[:k] + messages[k + 1:]
        if place == UNDER_WAY:
            yield work, with_(busy, to, True), tuple(sorted(others + ((home, to, THERE),))), sent
        elif place == THERE:
            yield work, busy, tuple(sorted(others + ((home, to, ANSWERED),))), sent
        else:
            yield with_(work, home, True), with_(busy, home, True), others, sent


first = ((True,) * SHARDS, (True,) * SHARDS, (), 0)
seen, todo, over = {first}, [first], 0
while todo:
    state = todo.pop()
    if not any(state[1]):
        over += 1
        assert not state[2] and not any(state[0]), f"over, and something may still happen: {state}"
    for following in steps(state):
        if following not in seen:
            seen.add(following)
            todo.append(following)
print(f"{len(seen)} states, {over} of them over; nothing is left in any of these")
