"""A day of somebody who works with opencode: the same seed gives the same day.

Sessions in a few projects, one after the other and now and then two at a time. In each the user
plans, builds, nudges and thinks in between; every turn is a loop of tool calls with a growing
prompt. Titles are asked for beside the first turn, summaries after some, sub-agents are sent to
look, and long sessions are compacted. Some talks are an editor's chat, without tools.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Final

from llmstack.dialects import read
from llmstack.routing.kind import kind_of, mode_of
from llmstack.routing.session import client_of
from llmstack.routing.simulation import bodies
from llmstack.routing.simulation.event import Event
from llmstack.routing.simulation.phrases import BUILD, GOES_ON, PLAN, PROJECTS, TERSE, said

if TYPE_CHECKING:
    from llmstack.routing.simulation.bodies import Talk

#: Sessions of a day, when it begins (in seconds), and the session after which there is lunch.
SESSIONS: Final = (10, 16)
MORNING: Final = 9 * 3600.0
LUNCH: Final = 5
#: Shares of sessions that are an editor's chat, and of those that begin while another goes on.
CHATS: Final = 0.15
BESIDE: Final = 0.2
#: A client compacts when a prompt is longer than this, in tokens.
COMPACTED: Final = 44_000
#: Sessions that have an open end: turns of the user's.
MOST_TURNS: Final = 9


def day(seed: int, *, declares: bool = True) -> tuple[Event, ...]:
    """The requests of one day; every event comes after the one that it waits for.

    ``declares`` says whether the client's reminders tell which agent, plan or build, is at work.
    """
    rng = Random(seed)  # noqa: S311  no secrets: the same days every time
    events: list[Event] = []
    after: int | None = None
    pause = 0.0
    for number in range(rng.randint(*SESSIONS)):
        name = f"ses_{seed}_{number}"
        begun = len(events)
        writer = _Session(events, rng, name, after, pause, declares=declares)
        if rng.random() < CHATS:
            writer.chat()
        else:
            writer.work()
        # Mostly one thing after the other; now and then a second session beside the first.
        beside = rng.random() < BESIDE
        after = rng.randrange(begun, len(events)) if beside else len(events) - 1
        pause = rng.uniform(5, 120) if beside else rng.lognormvariate(6.2, 1.0)
        if number == LUNCH:
            pause += 2700.0
    return tuple(events)


class _Session:
    """Writes the requests of one session to the end of ``events``."""

    def __init__(
        self,
        events: list[Event],
        rng: Random,
        name: str,
        after: int | None,
        pause: float,
        *,
        declares: bool,
    ) -> None:
        self._events = events
        self._rng = rng
        self._name = name
        self._project = rng.choice(PROJECTS)
        self._declares = declares
        self._begins = pause
        self._last = after
        self._tokens = 0
        self._epoch = 0

    def work(self) -> None:
        """Plan and build with tools."""
        rng = self._rng
        talk = bodies.Talk(self._project)
        planning = rng.random() < 0.4
        turns = min(1 + int(rng.expovariate(1 / 3.5)), MOST_TURNS)
        for turn in range(turns):
            leaves_plan = False
            if turn:
                if rng.random() < (0.6 if planning else 0.15):
                    planning, leaves_plan = not planning, planning
                terse = rng.random() < 0.25
                text = rng.choice(TERSE) if terse else said(rng, PLAN if planning else BUILD)
            else:
                text = said(rng, PLAN if planning else BUILD)
            self._asks(talk, text, plan=planning, leaves_plan=leaves_plan)
            pause = rng.lognormvariate(4.5, 0.9) if turn else self._begins
            self._turn(talk, "plan" if planning else "build", pause, first=not turn)
            if rng.random() < 0.3:
                self._side(bodies.summary(text), "summary", self._last, 0.05)
            if self._tokens > COMPACTED:
                self._compact(talk, "plan" if planning else "build", plan=planning)

    def chat(self) -> None:
        """Ask an editor's chat, which has no tools and declares no mode."""
        rng = self._rng
        talk = bodies.Talk(self._project, tools=False)
        for turn in range(rng.randint(2, 5)):
            planning = rng.random() < 0.5
            talk.asks(said(rng, PLAN if planning else BUILD))
            pause = rng.lognormvariate(4.0, 0.8) if turn else self._begins
            output = rng.randint(150, 900)
            agent = "plan" if planning else "build"
            self._send(talk.body(), agent, pause, output, prefix="chat")
            talk.answers(output)

    def _asks(self, talk: Talk, text: str, *, plan: bool, leaves_plan: bool = False) -> None:
        tells = self._declares
        talk.asks(text, plan=plan and tells, leaves_plan=leaves_plan and tells)

    def _turn(self, talk: Talk, agent: str, pause: float, *, first: bool) -> None:
        rng = self._rng
        begin = self._last
        loops = rng.randint(1, 6) if agent == "plan" else rng.randint(2, 14)
        looks = rng.randrange(loops) if rng.random() < 0.2 else -1
        for number in range(loops):
            output = rng.randint(40, 350)
            self._send(talk.body(), agent, pause, output)
            if first and not number:
                self._side(bodies.title(talk.messages[0]), "title", begin, pause)
            pause = rng.uniform(0.2, 6.0)
            if number == looks:
                found = self._look()
                talk.calls_tool(output, found, "task")
            else:
                talk.calls_tool(output, min(int(rng.lognormvariate(5.8, 1.2)), 8000))
        output = rng.randint(80, 900)
        self._send(talk.body(), agent, pause, output)
        talk.answers(output)

    def _look(self) -> int:
        """A sub-agent looks around; the tokens of what it tells."""
        rng = self._rng
        talk = bodies.Talk(self._project, subagent=True)
        talk.asks(f"Find out where and how this is done: {said(rng, BUILD)}")
        name = f"{self._name}_sub_{len(self._events)}"
        for _ in range(rng.randint(2, 6)):
            output = rng.randint(30, 150)
            self._send(talk.body(), "explore", 0.5, output, child=name)
            talk.calls_tool(output, min(int(rng.lognormvariate(6.2, 1.0)), 8000), "grep")
        output = rng.randint(150, 700)
        self._send(talk.body(), "explore", 0.5, output, child=name)
        return output

    def _compact(self, talk: Talk, agent: str, *, plan: bool) -> None:
        output = self._rng.randint(600, 1500)
        self._send(talk.compaction(), agent, 0.5, output, prefix="compaction")
        self._epoch += 1
        talk.starts_again(output)
        self._asks(talk, GOES_ON, plan=plan)
        answer = self._rng.randint(80, 400)
        self._send(talk.body(), agent, 0.2, answer)
        talk.answers(answer)

    def _send(
        self,
        body: bytes,
        agent: str,
        pause: float,
        output: int,
        *,
        prefix: str = "",
        child: str = "",
    ) -> None:
        """A request that the session waits for."""
        conversation = child or f"{self._name}/{self._epoch}{prefix}"
        self._add(body, agent, self._last, pause, output, conversation, prefix, child)
        self._last = len(self._events) - 1
        if not child:
            self._tokens = self._events[-1].tokens

    def _side(self, body: bytes, what: str, after: int | None, pause: float) -> None:
        """A request beside the conversation."""
        output = self._rng.randint(8, 40 if what == "title" else 120)
        conversation = f"{self._name}/{what}{len(self._events)}"
        self._add(body, what, after, pause, output, conversation, what, "")

    def _add(
        self,
        body: bytes,
        agent: str,
        after: int | None,
        pause: float,
        output: int,
        conversation: str,
        prefix: str,
        child: str,
    ) -> None:
        view = read(bodies.PATH, body)
        headers = [(b"x-session-id", (child or self._name).encode())]
        if child:
            headers.append((b"x-parent-session-id", self._name.encode()))
        client = client_of(view, headers)
        self._events.append(
            Event(
                at=MORNING,
                after=after,
                pause=pause,
                agent=agent,
                client=client,
                kind=kind_of(view, bodies.PATH, client.declared),
                mode=mode_of(view, client.declared),
                view=view,
                conversation=conversation,
                prefix=prefix or (f"explore {self._project}" if child else self._project),
                prefix_tokens=view.tool_tokens + len(view.system) // 4,
                output=output,
            )
        )
