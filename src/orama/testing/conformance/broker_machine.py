"""A broker beside lists: hypothesis looks for the shortest story in which they differ."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from orama.contracts.broker import Broker, Subscription
from orama.domain.namespace import Namespace
from orama.domain.pubsub import Message
from orama.domain.topic import Topic

_namespaces = st.sampled_from((Namespace("n"), Namespace("na"), Namespace("N")))
_topics = st.sampled_from((Topic("a"), Topic("na.a"), Topic("a.a")))


class _Listener:
    """One receiver: what it heard, and what it should have."""

    def __init__(self, namespace: Namespace) -> None:
        self.namespace = namespace
        self.listens = True
        self.heard: list[Message] = []
        self.expected: list[Message] = []
        self.place: Subscription | None = None


def check_against_model(open_broker: Callable[[], Coroutine[Any, Any, Broker]]) -> None:
    """Run the machine, on the receivers of one broker."""

    class BrokerMachine(RuleBasedStateMachine):
        listeners: Bundle[_Listener] = Bundle("listeners")

        def __init__(self) -> None:
            super().__init__()
            self.runner = asyncio.Runner()
            self.broker = self.runner.run(open_broker())
            self.all: list[_Listener] = []

        def teardown(self) -> None:
            self.runner.run(self.broker.close())
            self.runner.close()

        @rule(target=listeners, namespace=_namespaces)
        def subscribe(self, namespace: Namespace) -> _Listener:
            listener = _Listener(namespace)
            listener.place = self.runner.run(self.broker.subscribe(namespace, listener.heard.append))
            self.all.append(listener)
            return listener

        @rule(listener=listeners)
        def end(self, listener: _Listener) -> None:
            assert listener.place is not None
            listener.place.end()
            listener.listens = False

        @rule(namespace=_namespaces, topic=_topics, payload=st.binary(max_size=20), at=st.integers(0, 2**53))
        def publish(self, namespace: Namespace, topic: Topic, payload: bytes, at: int) -> None:
            message = Message(topic, payload, at)
            for listener in self.all:
                if listener.listens and listener.namespace == namespace:
                    listener.expected.append(message)
            self.runner.run(self.broker.publish(namespace, message))

        @invariant()
        def everybody_heard_what_was_for_them(self) -> None:
            for listener in self.all:
                assert listener.heard == listener.expected

    run_state_machine_as_test(BrokerMachine, settings=settings(max_examples=60, stateful_step_count=30))
