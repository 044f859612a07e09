"""What passes notes between nodes, in memory. `lost`: nothing gets through; `said`: all notes, by node."""

from __future__ import annotations

from collections.abc import Callable


class Hub:
    """Between all nodes that were made here."""

    def __init__(self) -> None:
        self.living: list[str] = []
        self.lost = False
        self.said: list[tuple[str, bytes]] = []
        self.heard: dict[str, list[Callable[[str, bytes], None]]] = {}

    def node(self, name: str) -> HubNode:
        """One more node, which lives."""
        self.living.append(name)
        self.heard[name] = []
        return HubNode(self, name)


class HubNode:
    """One node's way to the others."""

    def __init__(self, hub: Hub, name: str) -> None:
        self._hub = hub
        self._name = name

    def nodes(self) -> list[str]:
        """The others that live."""
        return [name for name in self._hub.living if name != self._name]

    def pass_on(self, note: bytes) -> None:
        """To all of them."""
        self._hub.said.append((self._name, note))
        for name in self.nodes():
            for heard in () if self._hub.lost else self._hub.heard[name]:
                heard(self._name, note)

    def listen(self, heard: Callable[[str, bytes], None]) -> Callable[[], None]:
        """Until the result is called."""
        self._hub.heard[self._name].append(heard)
        return lambda: self._hub.heard[self._name].remove(heard)
