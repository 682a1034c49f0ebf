"""How mailboxes grow with the shards: N·(N-1) lanes, each read by one shard and written by another.

Measured are, on this machine: what a message costs alone and in a batch (both shards spinning, and 128
in flight), what a shard pays to look at all its lanes when nothing came, and the memory of the lanes.
From these the model says what a message costs when its traffic is spread over N-1 lanes.

A turn that has M messages for this shard finds them in k = min(N-1, M) lanes. It pays

    looking    at every lane, used or not             (N-1) · look
    crossing   a line of memory, for every used lane  k · cross
    handling   of every message                       M · handle

Per message that is handle + cross · k/M + look · (N-1)/M. With few shards a lane carries many messages a turn
and the first term rules; with many, every message comes alone in its lane, and idle lanes are
looked at for nothing.
"""
from __future__ import annotations

from dataclasses import dataclass

from .page import table

SHARDS = (2, 8, 16, 32, 64, 128)
MESSAGES_PER_TURN = (1, 8, 64)
# A line that another core has written last; a look is at most that, when the neighbour was busy.
BEGINS_TO_MATTER = 2.0


@dataclass
class Costs:
    """Nanoseconds, and bytes."""
    handle: float  # A message, by everybody concerned, when the rest is shared by many.
    cross: float   # To fetch what another core has written: once a used lane.
    look: float    # At a lane in which nothing is new.
    lane_bytes: float

    def per_message(self, shards: int, messages: int) -> float:
        lanes = shards - 1
        used = min(lanes, messages)
        return self.handle + self.cross * used / messages + self.look * lanes / messages


def from_measured(round_trip_alone: float, round_trip_batched: float, poll_ns: dict[int, float],
                  lane_bytes: dict[int, float]) -> Costs:
    """`poll_ns` and `lane_bytes` by number of shards; a round trip is two messages."""
    most = max(poll_ns)
    look = poll_ns[most] / (most - 1)
    cross = max(round_trip_alone - round_trip_batched, 0) / 2
    largest = max(lane_bytes)
    return Costs(round_trip_batched / 2, cross, look,
                 lane_bytes[largest] / (largest * (largest - 1)))


def begins_to_matter(costs: Costs, messages: int) -> int | None:
    """The first N at which a message costs BEGINS_TO_MATTER times what it costs between two shards."""
    base = costs.per_message(2, messages)
    for shards in range(2, 1025):
        if costs.per_message(shards, messages) >= BEGINS_TO_MATTER * base:
            return shards
    return None


def report(costs: Costs) -> list[str]:
    from .figures import short
    rows = []
    for shards in SHARDS:
        memory = shards * (shards - 1) * costs.lane_bytes / 2**20
        rows.append([str(shards), *(short(costs.per_message(shards, m)) for m in MESSAGES_PER_TURN),
                     short(costs.look * (shards - 1)), short(memory)])
    lines = [
        "### A model of 8 to 128 shards", "",
        "The mailboxes are N·(N-1) lanes. From the figures above: to handle a message "
        f"{short(costs.handle)} ns, to fetch what another core has written {short(costs.cross)} ns for "
        f"every lane in use, to look at a lane {short(costs.look)} ns (in this core's cache: idle "
        f"lanes are not written), a lane {short(costs.lane_bytes)} bytes.", "",
        *table(["shards", *(f"ns a message, {m} a turn" for m in MESSAGES_PER_TURN),
                "ns a turn for looking", "MiB of lanes"], rows)]
    for messages in MESSAGES_PER_TURN:
        found = begins_to_matter(costs, messages)
        lines.append(f"- {messages} messages a turn: a message costs twice as much as between two shards "
                     + (f"from {found} shards on." if found else "at no size up to 1,024."))
    lines += [
        "", "What is to be done then, in this order: nothing while turns are long (a turn that serves "
        "sockets takes microseconds; the column for looking says what is added to it). Then a bitmap of "
        "lanes with news, one word per 64 senders, set by a sender who publishes into an empty lane: a "
        "shard looks at one word instead of 64 lanes, at the price of a shared write per batch. Then "
        "a shard in each group of eight that passes messages on to other groups: N·√N lanes, "
        "and batches that are √N times as large, for one more hop. Memory comes last: lanes are "
        "made by their first message, so only pairs that talk have one.", ""]
    return lines
